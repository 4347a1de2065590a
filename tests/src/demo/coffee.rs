//! The chapters about coffee.

use super::script::{Chapter, Step};

/// What someone who wants coffee sees. The shop is a fake: nothing is charged.
pub const CHAPTERS: &[Chapter] = &[Chapter {
    title: "Coffee: an order is checked before anybody is charged",
    steps: &[
        Step::well(
            "An account at the shop (a fake one, on this machine), its token and a card's token in a Secret:",
            "kubectl create secret generic terminal --from-literal=token=trm_test_demo --from-literal=card=tok_visa",
            &["secret/terminal created"],
        ),
        Step::well(
            "The account tells where the shop is:",
            "sed s#https://api.dev.terminal.shop#{shop}# examples/coffee/1-account.yaml | kubectl apply -f -",
            &["terminalaccount.coffee.terminal.sh/default created"],
        ),
        Step::well(
            "Who orders, where to, and what is charged:",
            "kubectl apply -f examples/coffee/2-customer.yaml",
            &["coffeeprofile.coffee.terminal.sh/ada created", "coffeecard.coffee.terminal.sh/visa created"],
        ),
        Step::refused(
            "A bad order. What looks like a card number in its note is not repeated:",
            "kubectl apply -f examples/refused/coffee/order.yaml",
            &[
                "spec.quantity",
                "spec.profileRef.name",
                "spec.addressRef.name",
                "spec.cardRef.name",
                "spec.notes",
            ],
        ),
    ],
}];
