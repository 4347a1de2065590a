//! Somebody who is no API server calls the webhook, and says to be an administrator.

use concierge_tests::caller::{Caller, response, review};
use serde_json::{Value, json};

use super::setup::{GROUPS, HOME, Setup};
use crate::world::claims;

/// How many requests that are no reviews are sent: far more than there may be lines in a log.
const NONSENSE: usize = 500;
/// How many values are asked for in a namespace: more than it may reserve at once.
const VALUES: i64 = 300;
/// How many that is, as docs/operating.md says.
const MOST: usize = 250;

impl Setup {
    /// Nobody learns or takes more than the page about callers says.
    pub(super) async fn call_forged(&self) {
        let address = self.stack().webhook(0, |program| program.address.unwrap());
        let caller = Caller::new(&self.plane().client().await.unwrap(), address).await.unwrap();
        for number in 0..NONSENSE {
            let answer =
                caller.post("/validate", format!(r#"{{"request":{{"uid":"{number}","#)).await.unwrap();
            let refused = response(answer.json().await.unwrap(), &number.to_string()).unwrap();
            assert_eq!(refused["allowed"], false);
        }
        let before = claims(self.stack()).await.unwrap();
        for group in &GROUPS {
            let mut elsewhere = (group.fresh)(30_000);
            elsewhere["metadata"]["namespace"] = json!("nowhere");
            // Where nothing is to be reserved, nobody asks for the namespace.
            forged(&caller, &elsewhere).await;
            let wrong = (group.wrong)();
            let told = forged(&caller, &wrong.object).await;
            assert_eq!(told["allowed"], false);
            let told = told["status"].to_string();
            assert!(told.contains(wrong.rule) && !told.contains(&format!("{HOME}/{}", wrong.like)), "{told}");
        }
        assert_eq!(claims(self.stack()).await.unwrap(), before, "reserved by what was refused");
        self.reserve_as_many_as_can_be(&caller).await;
    }

    /// Values in a namespace where nobody is going to store them: no more than the page says.
    async fn reserve_as_many_as_can_be(&self, caller: &Caller) {
        for group in &GROUPS {
            for number in 40_000..40_000 + VALUES {
                let mut object = (group.fresh)(number);
                object["metadata"]["namespace"] = json!("default");
                forged(caller, &object).await;
            }
        }
        let reserved = claims(self.stack()).await.unwrap().into_values();
        let reserved = reserved.filter(|holder| holder.starts_with("default/")).count();
        assert_eq!(reserved, MOST, "reserved by forged reviews in one namespace");
    }
}

/// The answer to a create of `object` by somebody who says to be an administrator.
async fn forged(caller: &Caller, object: &Value) -> Value {
    let mut object = object.clone();
    object["metadata"]["uid"] = json!("forged");
    let mut review = review("forged", "CREATE", &object, &Value::Null);
    review["request"]["userInfo"] = json!({"username": "admin", "groups": ["system:masters"]});
    let answer: Value = caller.post("/validate", review.to_string()).await.unwrap().json().await.unwrap();
    response(answer, "forged").unwrap()
}
