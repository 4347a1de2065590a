//! Live reads: before a request is refused because of what a cache does not hold, the API server is asked.

use concierge_shared::{
    admission::lookup::{Fresh, Need},
    index::{Index, Stored},
    kind::{KindInfo, by_name},
};
use futures::future::join_all;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::{
    Api, Client,
    api::{ListParams, PostParams},
    core::{ApiResource, DynamicObject},
};

use super::metrics::{Metrics, Outcome};
use concierge_shared::admission::envelope::UserInfo;

/// Reads the cluster.
#[derive(Clone)]
pub(crate) struct Live {
    client: Client,
    metrics: Metrics,
}

impl Live {
    pub(crate) fn new(client: Client, metrics: Metrics) -> Self {
        Self { client, metrics }
    }

    /// Reads all `needs` at once into `fresh`. What can't be read is left to the lookup behind.
    pub(crate) async fn read(&self, needs: &[Need], fresh: &mut Fresh<'_>) {
        for (need, read) in needs.iter().zip(join_all(needs.iter().map(|need| self.one(need))).await) {
            let outcome = match (need, read) {
                (Need::Object { kind, namespace, name }, Ok(mut objects)) => {
                    fresh.objects.insert((*kind, namespace.clone(), name.clone()), objects.pop());
                    "ok"
                }
                (Need::List { kind, namespace }, Ok(objects)) => {
                    let mut index = Index::default();
                    objects.into_iter().for_each(|object| index.insert(object));
                    fresh.lists.insert((*kind, namespace.clone()), index);
                    "ok"
                }
                (need, Err(error)) => {
                    tracing::warn!(?need, %error, "a live read failed");
                    "error"
                }
            };
            self.metrics.live_reads.get_or_create(&Outcome { outcome }).inc();
        }
    }

    /// The object, or nothing when there is none.
    pub(crate) async fn object(
        &self,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> kube::Result<Option<Stored>> {
        let Some(info) = by_name(kind) else { return Ok(None) };
        let found = self.api(info, namespace).get_opt(name).await?;
        Ok(found.and_then(|object| stored(info, object)))
    }

    async fn one(&self, need: &Need) -> kube::Result<Vec<Stored>> {
        match need {
            Need::Object { kind, namespace, name } => {
                Ok(self.object(kind, namespace, name).await?.into_iter().collect())
            }
            Need::List { kind, namespace } => {
                let Some(info) = by_name(kind) else { return Ok(Vec::new()) };
                let found = self.api(info, namespace).list(&ListParams::default()).await?;
                Ok(found.items.into_iter().filter_map(|object| stored(info, object)).collect())
            }
        }
    }

    fn api(&self, info: &KindInfo, namespace: &str) -> Api<DynamicObject> {
        let resource = ApiResource {
            group: (info.group)(),
            version: (info.version)(),
            api_version: info.api_version(),
            kind: info.name.to_owned(),
            plural: (info.plural)(),
        };
        match namespace {
            "" => Api::all_with(self.client.clone(), &resource),
            namespace => Api::namespaced_with(self.client.clone(), namespace, &resource),
        }
    }

    /// Whether `user` may read this object, and so may be told that it exists. When in doubt, no.
    pub(crate) async fn may_read(
        &self,
        user: &UserInfo<'_>,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> bool {
        let Some(info) = by_name(kind) else { return false };
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: text(&user.username),
                uid: text(&user.uid),
                groups: Some(user.groups.iter().map(ToString::to_string).collect()),
                extra: user.extra.and_then(|extra| serde_json::from_str(extra.get()).ok()),
                resource_attributes: Some(ResourceAttributes {
                    verb: Some("get".to_owned()),
                    group: Some((info.group)()),
                    resource: Some((info.plural)()),
                    namespace: text(namespace),
                    name: text(name),
                    ..ResourceAttributes::default()
                }),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let reviewed = Api::all(self.client.clone()).create(&PostParams::default(), &review).await;
        reviewed.is_ok_and(|review: SubjectAccessReview| review.status.is_some_and(|status| status.allowed))
    }
}

fn stored(info: &KindInfo, object: DynamicObject) -> Option<Stored> {
    let json = serde_json::to_value(object).ok()?;
    (info.store)(json).ok()
}
