"""Drives the fake shop with the shop's official client.

Usage: sdk_check.py all|order BASE_URL

`all` calls every operation with the client's strict validation on, and refuses fields that the client does
not know: the fake may say neither less nor more than the API. `order` places one order as users of the
client do, its own repeats included.
"""

import re
import sys

import terminal_shop
from pydantic import BaseModel
from terminal_shop import Terminal

TOKEN = "trm_test_sdk"
ULID = "[0-9A-HJKMNP-TV-Z]{26}"
SEGFAULT = "var_01J1JFDMNBXB5GJCQF6C3AEBCQ"
DARK_MODE = "var_01J1JFE53306NT180RC4HGPWH8"
CRON = "var_01JDZHKW1DEQ58P3EBNDR9SXFN"
PLACE = dict(name="Ann", street1="1 Main St", city="San Francisco", province="CA", country="US", zip="94107")


def known(value, path="answer"):
    """Nothing in it is unknown to the client."""
    if isinstance(value, BaseModel):
        assert not value.model_extra, f"{path} has fields the API does not have: {sorted(value.model_extra)}"
        for name in value.model_fields_set:
            known(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, list):
        for item in value:
            known(item, f"{path}[]")
    return value


def data(answer):
    return known(answer).data


def is_id(prefix, text):
    assert re.fullmatch(f"{prefix}_{ULID}", text), text
    return text


def refused(error, code, call, param=None):
    try:
        call()
    except error as caught:
        body = caught.body
        assert body["code"] == code and body["type"] and body["message"], body
        assert param is None or body["param"] == param, body
        return
    raise AssertionError(f"no {error.__name__} with code {code}")


def check_profile(shop):
    user = data(shop.profile.update(name="Ann", email="ann@example.com")).user
    assert (user.name, user.email) == ("Ann", "ann@example.com")
    assert data(shop.profile.me()).user == user
    is_id("usr", user.id)
    refused(terminal_shop.BadRequestError, "invalid_parameter",
            lambda: shop.profile.update(name="Ann", email="ann"), "email")
    assert data(shop.email.create(email="ann@example.com")) == "ok"


def check_products(shop):
    products = data(shop.product.list())
    assert {product.subscription for product in products} == {None, "allowed", "required"}
    assert data(shop.product.get(products[0].id)) == products[0]
    refused(terminal_shop.NotFoundError, "resource_not_found", lambda: shop.product.get("prd_none"))


def check_addresses(shop):
    id = is_id("shp", data(shop.address.create(**PLACE, street2="Flat 2", phone="5551234567")))
    address = data(shop.address.get(id))
    assert address.id == id and address.country == "US" and address.created
    assert address in data(shop.address.list())
    refused(terminal_shop.BadRequestError, "invalid_parameter",
            lambda: shop.address.create(**{**PLACE, "country": "USA"}), "country")
    assert data(shop.address.delete(id)) == "ok"
    refused(terminal_shop.NotFoundError, "resource_not_found", lambda: shop.address.get(id))
    return data(shop.address.create(**PLACE))


def check_cards(shop):
    id = is_id("crd", data(shop.card.create(token="tok_amex")))
    card = data(shop.card.get(id))
    assert (card.brand, card.last4) == ("amex", "8431") and card in data(shop.card.list())
    refused(terminal_shop.BadRequestError, "already_exists", lambda: shop.card.create(token="tok_amex"))
    assert data(shop.card.collect()).url.startswith("https://")
    assert data(shop.card.delete(id)) == "ok"
    refused(terminal_shop.NotFoundError, "resource_not_found", lambda: shop.card.delete(id))
    return data(shop.card.create(token="tok_visa"))


def check_orders(shop, address, card):
    id = is_id("ord", data(shop.order.create(address_id=address, card_id=card, variants={SEGFAULT: 2})))
    order = data(shop.order.get(id))
    assert order in data(shop.order.list())
    assert (order.amount.subtotal, order.amount.shipping) == (4400, 0), order.amount
    assert order.items[0].product_variant_id == SEGFAULT and order.items[0].quantity == 2
    refused(terminal_shop.BadRequestError, "invalid_parameter",
            lambda: shop.order.create(address_id=address, card_id="crd_none", variants={SEGFAULT: 1}), "cardID")
    refused(terminal_shop.BadRequestError, "invalid_parameter",
            lambda: shop.order.create(address_id=address, card_id=card, variants={SEGFAULT: 0}), "variants")
    refused(terminal_shop.NotFoundError, "resource_not_found", lambda: shop.order.get("ord_none"))


def check_shipped(shop):
    shipped = [order for order in data(shop.order.list()) if order.tracking.number]
    assert len(shipped) == 1, "the test ships one order before"
    tracking = shipped[0].tracking
    assert tracking.status == "TRANSIT" and tracking.service and tracking.url and tracking.status_updated_at


def check_cart(shop, address, card):
    cart = data(shop.cart.set_item(product_variant_id=SEGFAULT, quantity=3))
    assert cart.items[0].quantity == 3 and cart.subtotal == 6600 and cart.amount.shipping is None
    assert data(shop.cart.set_item(product_variant_id=SEGFAULT, quantity=1)).items[0].quantity == 1
    refused(terminal_shop.BadRequestError, "invalid_parameter",
            lambda: shop.cart.set_item(product_variant_id=CRON, quantity=1))
    assert data(shop.cart.set_address(address_id=address)) == "ok"
    assert data(shop.cart.set_card(card_id=card)) == "ok"
    cart = data(shop.cart.get())
    assert (cart.address_id, cart.card_id, cart.amount.total) == (address, card, 3000)
    before = len(data(shop.order.list()))
    order = data(shop.cart.convert())
    assert order.amount.shipping == 800 and len(data(shop.order.list())) == before + 1
    assert data(shop.cart.get()).items == []
    refused(terminal_shop.BadRequestError, "invalid_parameter", shop.cart.convert)
    data(shop.cart.set_item(product_variant_id=SEGFAULT, quantity=1))
    assert data(shop.cart.clear()) == "ok"
    assert data(shop.cart.set_item(product_variant_id=SEGFAULT, quantity=0)).items == []


def check_subscriptions(shop, address, card):
    def subscribe(variant, quantity, **more):
        return data(shop.subscription.create(
            id="sub_XXXXXXXXXXXXXXXXXXXXXXXXXX", created="2026-01-01T00:00:00.000Z", price=2200,
            product_variant_id=variant, quantity=quantity, address_id=address, card_id=card, **more))

    assert subscribe(DARK_MODE, 1, schedule={"type": "weekly", "interval": 3}) == "ok"
    (first,) = data(shop.subscription.list())
    is_id("sub", first.id)
    assert first.quantity == 1 and first.schedule.interval == 3 and first.next
    assert subscribe(DARK_MODE, 5) == "ok"
    (second,) = data(shop.subscription.list())
    assert (second.id, second.quantity) == (first.id, 5), "the second one overwrites the first"
    assert data(shop.subscription.get(first.id)) == second
    changed = data(shop.subscription.update(first.id, schedule={"type": "fixed"}, card_id=card))
    assert changed.schedule.type == "fixed"
    refused(terminal_shop.BadRequestError, "invalid_parameter",
            lambda: subscribe(CRON, 1, schedule={"type": "weekly", "interval": 1}), "schedule")
    assert data(shop.subscription.delete(first.id)) == "ok"
    refused(terminal_shop.NotFoundError, "resource_not_found", lambda: shop.subscription.delete(first.id))


def check_tokens(shop, url):
    minted = data(shop.token.create())
    is_id("pat", minted.id)
    assert minted.token.startswith("trm_test_")
    assert "***" in data(shop.token.get(minted.id)).token
    assert minted.id in [token.id for token in data(shop.token.list())]
    with client(url, minted.token) as other:
        assert data(other.profile.me()) == data(shop.profile.me())
        assert data(shop.token.delete(minted.id)) == "ok"
        refused(terminal_shop.AuthenticationError, "unauthorized", other.profile.me)


def check_apps(shop):
    minted = data(shop.app.create(name="door", redirect_uri="https://example.com/back"))
    is_id("cli", minted.id)
    assert minted.secret.startswith("sec_")
    app = data(shop.app.get(minted.id))
    assert app in data(shop.app.list()) and "***" in app.secret and app.redirect_uri.endswith("/back")
    refused(terminal_shop.BadRequestError, "invalid_parameter",
            lambda: shop.app.create(name="door", redirect_uri="back"), "redirectURI")
    assert data(shop.app.delete(minted.id)) == "ok"


def check_init(shop):
    view = data(shop.view.init())
    assert view.region == "na" and view.products and view.orders and view.cards and view.addresses
    assert view.profile == data(shop.profile.me())


def check_all(url):
    with client(url, TOKEN) as shop:
        check_profile(shop)
        check_products(shop)
        check_shipped(shop)
        address, card = check_addresses(shop), check_cards(shop)
        check_orders(shop, address, card)
        check_cart(shop, address, card)
        check_subscriptions(shop, address, card)
        check_tokens(shop, url)
        check_apps(shop)
        check_init(shop)
    with client(url, "trm_test_stranger") as stranger:
        refused(terminal_shop.AuthenticationError, "unauthorized", stranger.order.list)
        assert data(stranger.product.list()), "the product list is open to all"


def place_order(url):
    with Terminal(bearer_token=TOKEN, base_url=url) as shop:
        address = data(shop.address.create(**PLACE))
        card = data(shop.card.create(token="tok_visa"))
        data(shop.order.create(address_id=address, card_id=card, variants={SEGFAULT: 1}))


def client(url, token):
    return Terminal(bearer_token=token, base_url=url, max_retries=0, _strict_response_validation=True)


if __name__ == "__main__":
    {"all": check_all, "order": place_order}[sys.argv[1]](sys.argv[2])
    print("ok")
