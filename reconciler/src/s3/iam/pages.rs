//! Lists that come page by page.

use futures::future::BoxFuture;

use crate::{engine::Failure, s3::connection::Found};

/// The most pages that are read of a list. A service whose pages have no end is not read for ever.
const PAGES: usize = 20;

pub(in crate::s3) struct Page<T> {
    pub(in crate::s3) items: Vec<T>,
    /// Where the next one begins, if there is one.
    pub(in crate::s3) next: Option<String>,
}

impl<T> Page<T> {
    /// A page of an answer with its own words for whether there are more.
    pub(in crate::s3) fn new(items: impl Iterator<Item = T>, truncated: bool, marker: Option<&str>) -> Self {
        Self { items: items.collect(), next: marker.filter(|_| truncated).map(str::to_owned) }
    }
}

/// All items of a list, as far as they are read.
pub(in crate::s3) async fn all<'a, T>(
    mut page: impl FnMut(Option<String>) -> BoxFuture<'a, Result<Found<Page<T>>, Failure>>,
) -> Result<Found<Vec<T>>, Failure> {
    let (mut items, mut start) = (Vec::new(), None);
    for _ in 0..PAGES {
        let Page { items: more, next } = match page(start).await? {
            Found::Present(page) => page,
            Found::Missing => return Ok(Found::Missing),
            Found::Unsupported(why) => return Ok(Found::Unsupported(why)),
            Found::Denied(why) => return Ok(Found::Denied(why)),
        };
        items.extend(more);
        let Some(next) = next else { break };
        start = Some(next);
    }
    Ok(Found::Present(items))
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_list_is_read_to_its_end_and_not_for_ever() {
        let three = |start: Option<String>| {
            let number: usize = start.map_or(0, |start| start.parse().unwrap());
            let page = Page::new(std::iter::once(number), number < 2, Some(&(number + 1).to_string()));
            async move { Ok(Found::Present(page)) }.boxed()
        };
        assert_eq!(all(three).await.unwrap(), Found::Present(vec![0, 1, 2]));
        let endless =
            |_| async { Ok(Found::Present(Page::new(std::iter::once(1), true, Some("x")))) }.boxed();
        assert_eq!(all(endless).await.unwrap(), Found::Present(vec![1; PAGES]));
    }
}
