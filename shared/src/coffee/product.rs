//! A product of the shop, as the reconciler last read it.

use std::collections::HashSet;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    admission::{
        defaults::{Fill, Filled, missing},
        problem::{Cause, Problems},
        review::Review,
        rule::AdmissionRule,
    },
    common::names::derived_name,
    field::at,
    kind::Kind,
    rules, status,
};

/// What a product is.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "coffee.terminal.sh",
    version = "v1alpha1",
    kind = "CoffeeProduct",
    plural = "coffeeproducts",
    shortname = "cproduct",
    namespaced,
    status = "CoffeeProductStatus",
    category = "coffee",
    doc = "A product of the Terminal shop, written by Concierge for its rules and for people to choose from.",
    printcolumn(name = "Product", type_ = "string", json_path = ".spec.name"),
    printcolumn(name = "Subscription", type_ = "string", json_path = ".spec.subscription"),
    printcolumn(name = "Variants", type_ = "string", json_path = ".spec.variants[*].id"),
    printcolumn(name = "Account", type_ = "string", json_path = ".spec.account"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct CoffeeProductSpec {
    /// The TerminalAccount in this namespace that it is sold to.
    #[schemars(length(min = 1, max = 253))]
    pub account: String,
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
    #[x_kube(validation = Rule::new("self.all(a, self.exists_one(b, b.id == a.id))").message("lists a variant twice; remove one"))]
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

status! {
    /// What Concierge found out about a product: nothing but what is in its spec.
    pub struct CoffeeProductStatus() {}
}

rules! {
    VARIANTS = Deny "coffee.product.variants", "A product lists each of its variants once.";
}

impl Kind for CoffeeProduct {
    const NAME: &'static str = "CoffeeProduct";
    const RULES: &'static [&'static AdmissionRule] = RULES;
    const RECONCILED: bool = false;
    const FILLS: &'static [Filled] = &[missing("spec.subscription")];

    fn fill_defaults(&mut self, fill: &mut Fill) {
        fill.missing(&mut self.spec.subscription, "spec.subscription", SubscriptionPolicy::default());
    }

    fn check(review: &Review<'_, Self>, problems: &mut Problems) {
        let mut seen = HashSet::new();
        for (index, variant) in review.object.spec.variants.iter().enumerate() {
            if !seen.insert(&variant.id) {
                let field = at("spec.variants").index(index).field("id");
                problems.add(&VARIANTS, Cause::Duplicate, field, "is listed twice; remove one");
            }
        }
    }

    fn index_keys(&self) -> Vec<String> {
        let namespace = self.metadata.namespace.as_deref().unwrap_or_default();
        let account = format!("{namespace}/{}", self.spec.account);
        let variants = self.spec.variants.iter().map(|variant| variant_key(&account, &variant.id));
        variants.chain([products_key(&account)]).collect()
    }
}

/// The key of an account's products with this variant.
pub fn variant_key(account: &str, id: &str) -> String {
    format!("variant:{account}#{id}")
}

/// The key of all products of an account.
pub fn products_key(account: &str) -> String {
    format!("products-of:{account}")
}

impl CoffeeProduct {
    /// The name of the object, beside its account, for the shop's product of this id.
    pub fn object_name(account: &str, product: &str) -> String {
        let id = product.to_ascii_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        derived_name(account, &format!("-{}", id.trim_matches('-')))
    }
}
