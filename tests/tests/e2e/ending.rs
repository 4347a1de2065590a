//! A namespace ends with everything in it.

use concierge_tests::kubectl::TIMEOUT;
use concierge_tests::stack::Plan;

use crate::shopping::ShopCluster;
use crate::world::with_others;

/// Its RoleBinding would go first, and with it the right to read the token with which the shop is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_whose_secrets_may_be_used_can_be_deleted_and_leaves_nothing_at_the_shop() {
    let keep = ["--keep-role-bindings", "team/concierge-secrets"].map(str::to_owned).to_vec();
    let plan = Plan { reconciler_args: keep, ..Plan::default() };
    let cluster = ShopCluster::open_in(with_others().await, &["team"], plan).await;
    let kubectl = cluster.stack.plane.kubectl();
    let kept = "--for=jsonpath={.metadata.finalizers[0]}=concierge.dev/finalizer";
    let binding = ["wait", kept, "rolebinding/concierge-secrets", "-n", "team", TIMEOUT];
    kubectl.run(&binding).await.unwrap().ok().unwrap();

    kubectl.run(&["delete", "namespace", "team", TIMEOUT]).await.unwrap().ok().unwrap();
    for operation in ["DELETE /card", "DELETE /address"] {
        let told = cluster.shop.log().iter().filter(|call| call.operation.starts_with(operation)).count();
        assert_eq!(told, 1, "{operation}");
    }
}
