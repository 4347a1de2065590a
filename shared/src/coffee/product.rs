//! A product of the shop, as the reconciler last read it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shop::{DEV_URL, PRODUCTION_URL};
use crate::{
    admission::{
        claim::claim_name,
        defaults::Fill,
        problem::{Problems, Reason},
        review::Review,
        rule::Rule as AdmissionRule,
    },
    field::at,
    kind::Kind,
    rules,
    status::Condition,
};

/// What a product is.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "coffee.terminal.sh",
    version = "v1alpha1",
    kind = "CoffeeProduct",
    plural = "coffeeproducts",
    shortname = "cproduct",
    status = "CoffeeProductStatus",
    category = "coffee",
    doc = "A product of the Terminal shop, written by Concierge for its rules and for people to choose from.",
    printcolumn(name = "Product", type_ = "string", json_path = ".spec.name"),
    printcolumn(name = "Subscription", type_ = "string", json_path = ".spec.subscription"),
    printcolumn(name = "Variants", type_ = "string", json_path = ".spec.variants[*].id"),
    printcolumn(name = "Shop", type_ = "string", json_path = ".spec.baseUrl"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct CoffeeProductSpec {
    /// The address of the shop that sells it.
    #[schemars(length(max = 2048))]
    pub base_url: String,
    /// The shop's id of it, `prd_…`.
    #[schemars(length(max = 64))]
    pub product_id: String,
    /// Its name.
    #[schemars(length(max = 255))]
    pub name: String,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub description: Option<String>,
    /// Whether it comes by subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "none"))]
    pub subscription: Option<SubscriptionPolicy>,
    /// What can be ordered.
    #[schemars(length(max = 100))]
    pub variants: Vec<ProductVariant>,
}

/// A variant of a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProductVariant {
    /// The shop's id of it, `var_…`.
    #[schemars(length(max = 64))]
    pub id: String,
    /// Its name.
    #[schemars(length(max = 255))]
    pub name: String,
    /// Its price, in US cents.
    pub price: i64,
}

/// Whether a product comes by subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SubscriptionPolicy {
    /// Only by order.
    #[default]
    None,
    /// By order or subscription.
    Allowed,
    /// Only by subscription.
    Required,
}

/// What Concierge found out about a product: nothing but what is in its spec.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CoffeeProductStatus {
    /// How the product stands, in detail.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The generation that this status describes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

rules! {
    VARIANTS = Deny "coffee.product.variants", "A product lists each of its variants once.";
}

impl Kind for CoffeeProduct {
    const NAME: &'static str = "CoffeeProduct";
    const RULES: &'static [&'static AdmissionRule] = RULES;

    fn assemble(metadata: ObjectMeta, spec: CoffeeProductSpec, status: Option<CoffeeProductStatus>) -> Self {
        Self { metadata, spec, status }
    }

    fn fill_defaults(&mut self, fill: &mut Fill) {
        fill.missing(&mut self.spec.subscription, "spec.subscription", SubscriptionPolicy::default());
    }

    fn check(review: &Review<'_, Self>, problems: &mut Problems) {
        let variants = &review.object.spec.variants;
        for (index, variant) in variants.iter().enumerate() {
            if variants[..index].iter().any(|other| other.id == variant.id) {
                let field = at("spec.variants").index(index).field("id");
                problems.add(&VARIANTS, Reason::Duplicate, field, "is listed twice; remove one");
            }
        }
    }

    fn index_keys(&self) -> Vec<String> {
        let url = &self.spec.base_url;
        let variants = self.spec.variants.iter().map(|variant| variant_key(url, &variant.id));
        variants.chain([shop_key(url)]).collect()
    }
}

/// The key of the products of a shop with this variant.
pub(super) fn variant_key(base_url: &str, id: &str) -> String {
    format!("variant:{base_url}#{id}")
}

/// The key of all products of a shop.
pub(super) fn shop_key(base_url: &str) -> String {
    format!("shop:{base_url}")
}

impl CoffeeProduct {
    /// The name of the object for a product of the shop at `base_url`.
    pub fn object_name(base_url: &str, product: &str) -> String {
        let shop = match base_url {
            PRODUCTION_URL => "production".to_owned(),
            DEV_URL => "dev".to_owned(),
            other => claim_name("shop", other).chars().take(10).collect(),
        };
        let product = product.to_ascii_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        format!("{shop}-{}", product.trim_matches('-'))
    }
}
