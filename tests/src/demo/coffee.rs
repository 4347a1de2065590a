//! The chapters about coffee.

use super::script::{Chapter, Event, Step};

/// The bearer token that opens an account at the fake shop.
pub(super) const TOKEN: &str = "trm_test_demo";

/// What someone who wants coffee sees. The shop is a fake: nothing is charged.
pub const CHAPTERS: &[Chapter] = &[
    Chapter {
        title: "Coffee: an order is checked before anybody is charged",
        steps: &[
            Step::well(
                "An account at the shop (a fake one, on this machine), its token and a card's token in a Secret:",
                "kubectl create secret generic terminal --from-literal=token=trm_test_demo --from-literal=card=tok_visa",
                &["secret/terminal created"],
            ),
            Step::well(
                "The account tells where the shop is. Once it is Ready, what the shop sells is known:",
                "sed s#https://api.dev.terminal.shop#{shop}# examples/coffee/1-account.yaml | kubectl apply -f - && \\\n  \
                 kubectl wait taccount default --for=condition=Ready --timeout=20s && kubectl get cproduct",
                &["terminalaccount.coffee.terminal.sh/default created", "default condition met", "segfault"],
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
    },
    Chapter {
        title: "Coffee: a good order is placed, once, and followed until it arrives",
        steps: &[
            Step::well(
                "The order is written down before it is sent, so that no crash can make two of it:",
                "kubectl apply -f examples/coffee/3-order.yaml && \\\n  \
                 kubectl wait corder first-cup --for=jsonpath='{.status.phase}'=Ordered --timeout=20s",
                &["coffeeorder.coffee.terminal.sh/first-cup created", "first-cup condition met"],
            ),
            Step::refused(
                "What is ordered is ordered; its address stays while it is under way:",
                "kubectl delete caddress home",
                &["first-cup"],
            ),
            Step::well(
                "The shop hands the parcel to the carrier. The reconciler would see that by itself within two minutes;\n\
                 whoever can't wait makes it look now:",
                "kubectl annotate corder first-cup concierge.dev/reconcile-at=\"$(date)\" && \\\n  \
                 kubectl wait corder first-cup --for=jsonpath='{.status.phase}'=Shipped --timeout=20s",
                &["first-cup condition met"],
            )
            .meanwhile(0, Event::ShopShips),
            Step::well(
                "What there is, and how it stands:",
                "kubectl get corder,caddress,ccard,cprofile",
                &["first-cup", "Shipped", "ord_"],
            ),
        ],
    },
];
