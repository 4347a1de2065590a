//! Over real sockets: which connections come about, and what catalogs answer.

use std::time::Duration;

use concierge_reconciler::engine::ObjectKey;
use concierge_tests::{
    s3::fake::{Bucket, Store},
    tls::behind_tls,
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::world::World;

const SOON: Duration = Duration::from_secs(60);
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 33\r\n\r\n{\"defaults\": {}, \"overrides\": {}}";

/// A catalog; its host and port.
async fn catalog() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // One that only connects sends nothing.
            if stream.read(&mut [0; 4096]).await.is_ok_and(|read| read > 0) {
                let _ = stream.write_all(ANSWER).await;
            }
        }
    });
    address
}

fn iceberg(world: &World, name: &str, uri: &str) -> ObjectKey {
    let iceberg = json!({ "catalogUri": uri, "warehouse": name });
    world.put("Storage", name, json!({ "type": "Iceberg", "iceberg": iceberg }))
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_and_answers_are_those_of_the_services() {
    let (store, at) = (Store::start().await.unwrap(), catalog().await);
    store.with(|state| state.buckets.insert("lake".to_owned(), Bucket::default()));
    let (behind_tls, _) = behind_tls(&at).await.unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let world = World::over_sockets();
    let expect = [
        (world.storage("bucket", json!({ "endpoint": store.url() })), true, "True Answered"),
        (iceberg(&world, "answers", &format!("http://{at}")), true, "True Answered"),
        (iceberg(&world, "connects", &format!("thrift://{at}")), true, "True Connected"),
        (iceberg(&world, "distrusted", &behind_tls), true, "False NotCheckable"),
        (iceberg(&world, "closed", &format!("thrift://{closed}")), false, "False NoAnswer"),
        (iceberg(&world, "silent", &format!("http://{closed}")), false, "False NoAnswer"),
    ];
    let _process = world.healthy();
    for (key, ready, checked) in expect {
        world.until(checked, SOON, |world| world.says(&key)[1] == checked).await;
        assert_eq!(world.server.is_ready(&key), ready, "{}", world.dump());
    }
}
