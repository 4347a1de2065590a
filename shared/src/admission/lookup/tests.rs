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
    for (from, limit, expect) in [(0, 1, 1), (150, 2, 2), (199, 2, 1), (200, 1, 0), (3, usize::MAX, 197)] {
        // It looks at the cache itself.
        let wanted =
            |pet: &Stored| cache.borrow_mut().iter().skip(from).any(|other| other.name() == pet.name());
        let found = first_wanted(limit, &wanted, first);
        assert_eq!(found.len(), expect, "from {from}");
        assert!(found.first().is_none_or(|pet| pet.name() == format!("pet-{from:03}")));
    }
}
