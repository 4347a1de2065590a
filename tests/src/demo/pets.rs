//! The chapters about pets.

use super::script::{Chapter, Event, Step};
use crate::process::Signal;

/// What a keeper of pets sees.
pub const CHAPTERS: &[Chapter] = &[
    Chapter {
        title: "What is left out is filled in",
        steps: &[
            Step::well(
                "Two stores, and three pets that name them:",
                "kubectl apply -f examples/pets/",
                &["petstore.petstore.example.com/happy-tails created", "pet.petstore.example.com/tom created"],
            ),
            Step::well(
                "The file says nothing about page size, version and authentication, and has spaces around the name:",
                "kubectl get store happy-tails -o jsonpath-as-json='{.spec}'",
                &[
                    "\"name\": \"Happy Tails\"",
                    "\"defaultLimit\": 20",
                    "\"version\": \"v1\"",
                    "\"requireAuthentication\": true",
                ],
            ),
        ],
    },
    Chapter {
        title: "A refusal names everything that is wrong, where, and what to do",
        steps: &[
            Step::refused(
                "A parrot wants into a store that is full and keeps cats, with an id that is taken:",
                "kubectl apply -f examples/refused/pets/pet.yaml",
                &["spec.id", "is in use", "spec.tag", "\"parrot\" is not allowed", "spec.storeRef.name", "is full"],
            ),
            Step::refused(
                "A store in a hurry. The password in its address is not repeated:",
                "kubectl apply -f examples/refused/pets/store.yaml",
                &[
                    "spec.config.allowedTags[2]",
                    "spec.endpoints.baseUrl",
                    "spec.security.allowedOrigins[0]",
                    "spec.security.allowedOrigins[1]",
                ],
            ),
        ],
    },
    Chapter {
        title: "No id twice, nothing pulled away from under others",
        steps: &[
            Step::refused(
                "Rex has id 1. Ids are unique in the whole cluster, also when two ask at the same instant:",
                "kubectl create -f examples/refused/pets/duplicate.yaml",
                &["spec.id", "is in use", "rex"],
            ),
            Step::refused(
                "A store with pets in it can't be deleted:",
                "kubectl delete store tiny",
                &["tom"],
            ),
            Step::well(
                "What is allowed but worth a thought is a warning:",
                "kubectl patch store happy-tails --dry-run=server --type=merge -p '{\"spec\":{\"config\":{\"allowedTags\":[\"dog\"]}}}'",
                &["Warning: ", "minka"],
            ),
        ],
    },
    Chapter {
        title: "A replica is killed, and nobody notices",
        steps: &[Step::well(
            "Guests arrive one after the other. In between, one of the two replicas is killed outright. No create\n\
             is under way at that instant; one that is would fail, because the API server never repeats a call that\n\
             was cut. (A replica that is asked to stop, as in every roll-out, answers its calls first.)",
            "for id in $(seq 101 116); do sed s/100/$id/g examples/guests/pet.yaml | kubectl create -f - || exit; done",
            &["guest-101 created", "guest-106 created", "guest-107 created", "guest-116 created"],
        )
        .meanwhile(6, Event::WebhookEnds(1, Signal::Kill))],
    },
    Chapter {
        title: "Behind the door, the reconciler makes it real",
        steps: &[
            Step::well(
                "It looks at every object that came in, and says in the object's status what became of it:",
                "kubectl wait pets rex minka tom --for=jsonpath='{.status.phase}'=Active --timeout=20s",
                &["pet.petstore.example.com/rex condition met", "pet.petstore.example.com/tom condition met"],
            ),
            Step::well(
                "A store is Ready, and has counted its pets:",
                "kubectl wait store happy-tails --for=jsonpath='{.status.petCount}'=18 --timeout=20s",
                &["petstore.petstore.example.com/happy-tails condition met"],
            ),
            Step::well(
                "The columns answer what most people ask:",
                "kubectl get petstores && kubectl get pets rex minka tom",
                &["Happy Tails", "18", "Ready", "Active", "True"],
            ),
        ],
    },
    Chapter {
        title: "The same answer in CI, without a cluster",
        steps: &[
            Step::well(
                "The rules are in the webhook's program, and read files as well:",
                "concierge-webhook check examples/pets/",
                &["5 admitted, 0 refused"],
            ),
            Step::refused(
                "A problem is shown at its place in the file; the exit code is for CI:",
                "concierge-webhook check --world examples/pets/ examples/refused/pets/pet.yaml",
                &["pets.pet.unique-id", "pets.pet.capacity", "pets.pet.tag-allowed", "0 admitted, 1 refused"],
            ),
        ],
    },
];
