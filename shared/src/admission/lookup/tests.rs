use serde_json::json;

use super::*;
use crate::{kind::store, pets::Pet};

fn pet(id: usize) -> Stored {
    let json = json!({
        "apiVersion": "petstore.example.com/v1", "kind": "Pet",
        "metadata": {"namespace": "zoo", "name": format!("pet-{id:03}")}, "spec": {"id": id, "name": "Pet"},
    });
    store(Arc::new(serde_json::from_value::<Pet>(json).unwrap()))
}

#[test]
fn what_is_wanted_is_found_behind_any_number_that_is_not_and_outside_of_the_cache() {
    let pets: Vec<_> = (0..200).map(pet).collect();
    let cache = std::cell::RefCell::new(pets);
    let first = |many| cache.borrow_mut().iter().take(many).cloned().collect::<Vec<_>>();
    let most = usize::MAX;
    for (from, limit, among, expect, unseen) in [
        (0, 1, most, 1, false),
        (150, 2, most, 2, false),
        (199, 2, most, 1, false),
        (200, 1, most, 0, false),
        (3, most, most, 197, false),
        (49, 1, 50, 1, false),
        (50, 1, 50, 0, true),
        (199, 1, 199, 0, true),
        (200, 1, 200, 0, false),
        (3, 5, 5, 2, true),
        (0, 1, 0, 0, true),
    ] {
        // It looks at the cache itself.
        let wanted =
            |pet: &Stored| cache.borrow_mut().iter().skip(from).any(|other| other.name() == pet.name());
        let Looked { found, count, unseen: are_unseen } = look(limit, among, &wanted, first);
        assert_eq!((found.len(), are_unseen), (expect, unseen), "from {from} among {among}");
        assert!(count <= among);
        assert!(found.first().is_none_or(|pet| pet.name() == format!("pet-{from:03}")));
    }
}
