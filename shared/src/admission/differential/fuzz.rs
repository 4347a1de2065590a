//! Reviews spoilt in millions of ways, each as the numbers of a seed say.

use std::collections::BTreeMap;

use super::*;

/// Numbers that follow from a seed (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One below `end`, which is not 0.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

/// What is put in or in place of something. It may be a value, a part of a text, or neither.
const PIECES: [&[u8]; 40] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b":",
    b",",
    b"\\",
    b" ",
    b"\r\n",
    b"\0",
    b"\x1f",
    b"\x7f",
    b"\xff",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\\u0061",
    b"\\ud800",
    b"\\ud83d\\ude00",
    b"\\u00zz",
    b"\\\"",
    b"\\\\",
    b"\\x",
    b"null",
    b"true",
    b"nul",
    b"{}",
    b"[]",
    b"\"\"",
    b"1e999",
    b"-0",
    b"01",
    b"1-1",
    b"0x1",
    b".5",
    b"123456789012345678901234567890",
    b"\"uid\":\"u-3\",",
    b"\"spec\":{},",
    b"\"name\":null,",
];

/// The reviews that are spoilt.
fn seeds() -> Vec<Vec<u8>> {
    let object = |name: &str, spec: Value| {
        json!({
            "apiVersion": "petstore.example.com/v1", "kind": "Pet", "spec": spec,
            "metadata": {
                "name": name, "namespace": "zoo", "uid": "u-2", "resourceVersion": "7", "generation": 1,
                "creationTimestamp": "2026-02-01T09:00:00Z",
                "labels": {"petstore.example.com/store": "shop", "app": "a\"b\\"},
                "annotations": {"example.com/a": "{\"b\":[\"\\n\"]}", "concierge.dev/resync": "1h"},
                "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {"f:id": {}, "k:{\"a\":\"b\"}": {}}}}],
            },
        })
    };
    let rex = object("rex", json!({"id": 1, "name": "Rex", "tag": "cat"}));
    let other =
        object("rex", json!({"id": 1, "name": "Ré\u{1f600}x\t", "more": [1, -2.5e3, {"a": [null, true]}]}));
    let mut going = other.clone();
    going["metadata"]["deletionTimestamp"] = json!("2026-03-01T09:00:00Z");
    going["status"] = json!({"phase": "Active", "conditions": []});
    let reviews = [
        review("CREATE", &rex, &Value::Null),
        review("UPDATE", &other, &rex),
        review("UPDATE", &rex, &rex),
        review("UPDATE", &going, &other),
        review("DELETE", &Value::Null, &going),
    ];
    let pretty = reviews.iter().map(|review| serde_json::to_vec_pretty(review).unwrap());
    pretty.chain(reviews.iter().map(|review| review.to_string().into_bytes())).collect()
}

/// A place in `body`: any, or next to what gives it its form.
fn place(body: &[u8], numbers: &mut Numbers) -> usize {
    let at = numbers.below(body.len() + 1);
    if numbers.below(3) == 0 {
        return at;
    }
    let is_form = |byte: &u8| matches!(byte, b'"' | b':' | b',' | b'{' | b'}' | b'[' | b']');
    body[at..].iter().position(is_form).map_or(at, |form| at + form + numbers.below(2))
}

/// The end of a short part of `body` from `start` on; a field or an item, when there is one.
fn end(body: &[u8], start: usize, numbers: &mut Numbers) -> usize {
    let comma = body[start..].iter().take(200).position(|byte| *byte == b',');
    match comma.filter(|_| numbers.below(2) == 0) {
        Some(comma) => start + comma + 1,
        None => (start + numbers.below(30)).min(body.len()),
    }
}

fn spoil(body: &mut Vec<u8>, numbers: &mut Numbers) {
    let start = place(body, numbers);
    let end = end(body, start, numbers);
    let part = body[start..end].to_vec();
    match numbers.below(10) {
        0 => body.iter_mut().skip(start).take(1).for_each(|byte| *byte ^= 1 << numbers.below(8)),
        1 | 2 => drop(body.splice(start..start, numbers.one(&PIECES).iter().copied())),
        3 => drop(body.splice(start..end, numbers.one(&PIECES).iter().copied())),
        4 => drop(body.splice(start..end, [])),
        5 => drop(body.splice(start..start, part)),
        6 => {
            let elsewhere = place(body, numbers);
            body.splice(elsewhere..elsewhere, part);
        }
        7 => {
            let deep = numbers.one(&[&[b'['][..], b"{\"a\":", b"]"]).repeat(numbers.below(300));
            body.splice(start..start, deep);
        }
        8 => {
            let depth = numbers.below(300);
            body.splice(start..end, [b"[".repeat(depth), b"]".repeat(depth)].concat());
        }
        _ if numbers.below(4) == 0 => body.truncate(start),
        _ => body.iter_mut().skip(start).take(1).for_each(|byte| *byte = numbers.next().to_le_bytes()[0]),
    }
}

/// Compares both on one review; what came out. What both read alike is judged alike, since nothing else is judged; now and then the
/// answers are made all the same.
fn outcome(body: &[u8], with_answers: bool) -> Result<&'static str, TestCaseError> {
    match (quick::review(body), parse_with_serde(body)) {
        (None, Ok(_)) => Ok("left to serde, which reads it"),
        (None, Err(_)) => Ok("left to serde, which refuses it"),
        (Some(quick), Ok(slow)) => {
            prop_assert_eq!(format!("{quick:?}"), format!("{slow:?}"));
            if with_answers {
                prop_assert_eq!(answers(&quick), answers(&slow));
            }
            Ok("read alike")
        }
        (Some(quick), Err(_)) if !admits(&quick) => Ok("refused by both"),
        (Some(quick), Err(_)) => {
            check_reason(&quick, body)?;
            Ok("admitted, and malformed in what no rule reads")
        }
    }
}

fn fuzz(seed: u64, cases: usize) {
    let (seeds, mut outcomes) = (seeds(), BTreeMap::<_, usize>::new());
    for case in 0..cases {
        let mut numbers = Numbers(seed.wrapping_add(case as u64).wrapping_mul(0x2545_f491_4f6c_dd1d));
        let mut body = seeds[case % seeds.len()].clone();
        // Most of what is spoilt twice is read by neither.
        for _ in 0..=numbers.below(8).saturating_sub(4) {
            spoil(&mut body, &mut numbers);
        }
        match outcome(&body, case % 16 == 0) {
            Ok(outcome) => *outcomes.entry(outcome).or_default() += 1,
            Err(error) => panic!("seed {seed}, case {case}: {error}\n{}", String::from_utf8_lossy(&body)),
        }
    }
    println!("{cases} reviews of seed {seed}: {outcomes:?}");
    assert_eq!(outcomes.len(), 5, "each can happen: {outcomes:?}");
}

#[test]
fn spoilt_reviews_are_read_as_serde_reads_them() {
    fuzz(1, 5_000);
}

/// `FUZZ=3000000` says how many; another `FUZZ_SEED` makes others.
#[test]
#[ignore = "soak"]
fn spoilt_reviews_are_read_as_serde_reads_them_many_times() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let full = std::env::var_os("FULL").is_some_and(|full| !full.is_empty());
    let cases = number("FUZZ").unwrap_or(if full { 3_000_000 } else { 100_000 });
    fuzz(number("FUZZ_SEED").unwrap_or(2), usize::try_from(cases).unwrap());
}
