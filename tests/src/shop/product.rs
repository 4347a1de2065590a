//! What the shop sells.

use serde::Serialize;
use serde_json::{Value, json};

use super::problem::Problem;
use super::router::Call;

/// Something for sale.
#[derive(Clone, Debug, Serialize)]
pub struct Product {
    /// `prd_...`
    pub id: String,
    pub name: String,
    pub description: String,
    /// Sizes and blends.
    pub variants: Vec<Variant>,
    /// Its place in lists.
    pub order: u32,
    /// `allowed`, `required`, or absent: cannot be subscribed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<&'static str>,
    /// Presentation and markets.
    pub tags: Value,
}

/// One variant of a product.
#[derive(Clone, Debug, Serialize)]
pub struct Variant {
    /// `var_...`
    pub id: String,
    pub name: String,
    /// Cents.
    pub price: i64,
}

impl Product {
    /// A product of one variant.
    pub fn single(
        id: &str,
        name: &str,
        variant: &str,
        price: i64,
        subscription: Option<&'static str>,
    ) -> Self {
        let variants = vec![Variant { id: variant.to_owned(), name: "12oz | whole beans".to_owned(), price }];
        let (id, name, description) = (id.to_owned(), name.to_owned(), format!("{name}, roasted this week"));
        let tags = json!({"app": name, "color": "#F5BB1D", "featured": true, "market_na": true});
        Self { id, name, description, variants, order: 100, subscription, tags }
    }
}

/// Coffee that can be subscribed to: 2200 cents.
pub const SEGFAULT: &str = "var_01J1JFDMNBXB5GJCQF6C3AEBCQ";
/// Coffee that can be subscribed to: 2200 cents.
pub const DARK_MODE: &str = "var_01J1JFE53306NT180RC4HGPWH8";
/// A mug: no subscription, 1500 cents.
pub const MUG: &str = "var_01JX5GFCYRZ2Q8N1E6Y7D9T3KA";
/// Coffee that must be subscribed to: 3000 cents.
pub const CRON: &str = "var_01JDZHKW1DEQ58P3EBNDR9SXFN";

/// What every shop starts with.
pub(super) fn stock() -> Vec<Product> {
    vec![
        Product::single("prd_01J1JF8PWKTYHX3GQ7Z8V5N2AB", "segfault", SEGFAULT, 2200, Some("allowed")),
        Product::single("prd_01J1JFA9DS6M4C0KXE2W7B3RTY", "dark mode", DARK_MODE, 2200, Some("allowed")),
        Product::single("prd_01JX5GEH2P7V3S9D4N6M8K0QWZ", "mug", MUG, 1500, None),
        Product::single("prd_01JDZHJ5T8A1R6F0G9C4X2V7YE", "cron", CRON, 3000, Some("required")),
    ]
}

pub(super) fn list(call: &mut Call) -> Result<Value, Problem> {
    Ok(json!(call.state.products))
}

pub(super) fn get(call: &mut Call) -> Result<Value, Problem> {
    let product = call.state.products.iter().find(|product| product.id == call.id);
    Ok(json!(product.ok_or_else(|| Problem::not_found("Product", call.id))?))
}
