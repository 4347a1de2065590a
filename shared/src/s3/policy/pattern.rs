//! The actions of S3, and patterns of actions.

use std::{cell::OnceCell, collections::BTreeMap, ops::Bound, sync::LazyLock};

use super::{
    catalogue::{ACCOUNT_ACTIONS, BUCKET_ACTIONS, OBJECT_ACTIONS, OTHER_ACTIONS},
    glob,
};

/// What an S3 action is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    Object,
    Bucket,
    Account,
    Other,
}

#[derive(Debug)]
pub(super) struct S3Action {
    /// Its name as AWS writes it, without `s3:`.
    pub(super) name: &'static str,
    /// Its name in lower case.
    pub(super) lower: String,
    pub(super) about: About,
}

pub(super) static S3_ACTIONS: LazyLock<Vec<S3Action>> = LazyLock::new(|| {
    let lists = [
        (About::Object, OBJECT_ACTIONS),
        (About::Bucket, BUCKET_ACTIONS),
        (About::Account, ACCOUNT_ACTIONS),
        (About::Other, OTHER_ACTIONS),
    ];
    let all = lists.into_iter().flat_map(|(about, names)| {
        names.split_whitespace().map(move |name| S3Action { name, lower: name.to_ascii_lowercase(), about })
    });
    all.collect()
});

static BY_NAME: LazyLock<BTreeMap<&'static str, &'static S3Action>> =
    LazyLock::new(|| S3_ACTIONS.iter().map(|action| (action.lower.as_str(), action)).collect());

/// An action or a pattern of actions, in lower case: service and name.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub(super) service: String,
    pub(super) name: String,
    /// Whether it is a pattern: most are not, and fit nothing but themselves.
    is_wild: bool,
    /// Several rules ask for them.
    s3_actions: OnceCell<Vec<&'static S3Action>>,
}

impl Pattern {
    /// `None` when the text is no action.
    pub(super) fn of(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::new("*", "*"));
        }
        let (service, name) = text.split_once(':')?;
        let is_service = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '*' || c == '?';
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '*' || c == '?';
        let is_good = !service.is_empty()
            && service.chars().all(is_service)
            && !name.is_empty()
            && name.chars().all(is_name);
        is_good.then(|| Self::new(service, name))
    }

    fn new(service: &str, name: &str) -> Self {
        let (service, name) = (service.to_ascii_lowercase(), name.to_ascii_lowercase());
        let is_wild = [&service, &name].iter().any(|part| part.contains(['*', '?']));
        Self { service, name, is_wild, s3_actions: OnceCell::new() }
    }

    /// True when the action `name` of `service`, both in lower case, fits.
    pub(super) fn fits(&self, service: &str, name: &str) -> bool {
        match self.is_wild {
            true => glob::matches(&self.service, service) && glob::matches(&self.name, name),
            false => self.service == service && self.name == name,
        }
    }

    pub(super) fn is_s3(&self) -> bool {
        self.service == "s3" || self.is_wild && glob::matches(&self.service, "s3")
    }

    /// The actions of S3 that fit.
    pub(super) fn s3_actions(&self) -> &[&'static S3Action] {
        self.s3_actions.get_or_init(|| match (self.is_s3(), self.name.find(['*', '?'])) {
            (false, _) => Vec::new(),
            (true, None) => BY_NAME.get(self.name.as_str()).copied().into_iter().collect(),
            (true, Some(wildcard)) => {
                let (start, rest) = self.name.split_at(wildcard);
                let all = BY_NAME
                    .range::<str, _>((Bound::Included(start), Bound::Unbounded))
                    .map(|(_, action)| *action);
                let alike = all.take_while(|action| action.lower.starts_with(start));
                alike
                    .filter(|action| rest == "*" || glob::matches(rest, &action.lower[start.len()..]))
                    .collect()
            }
        })
    }

    /// True when every action that fits `other` fits this.
    pub(super) fn covers(&self, other: &Self) -> bool {
        match self.is_wild {
            true => {
                (self.service == other.service || glob::covers(&self.service, &other.service))
                    && glob::covers(&self.name, &other.name)
            }
            false => self.service == other.service && self.name == other.name,
        }
    }
}
