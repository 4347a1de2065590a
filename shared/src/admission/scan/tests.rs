use super::*;

#[test]
fn a_container_ends_where_its_bracket_closes() {
    for (text, length) in [
        (r#"{}"#.to_owned(), Some(2)),
        (r#"{"a":"}"},"#.to_owned(), Some(9)),
        (r#"["\"]",{"a":[]}]x"#.to_owned(), Some(16)),
        (r#"["\\"]"#.to_owned(), Some(6)),
        (r#"[""#.to_owned(), None),
        (r#"[[]"#.to_owned(), None),
    ] {
        for pad in 0..200 {
            for filler in ["x", r"\\", r#"\""#] {
                let padded = format!(r#"{{"{}":{text}"#, filler.repeat(pad));
                let start = padded.len() - text.len();
                assert_eq!(container(&padded.as_bytes()[start..]), length, "{text}");
                if length == Some(2) {
                    let whole = format!("{padded}}}");
                    assert_eq!(container(whole.as_bytes()), Some(whole.len()), "{whole}");
                }
            }
        }
    }
}

#[test]
fn a_string_ends_at_the_first_quote_that_is_not_escaped() {
    for pad in 0..200 {
        for (filler, escapes) in [("x", false), (r"\\", true), (r#"\""#, true), (r"x\\\\", true)] {
            let string_text = format!(r#""{}""#, filler.repeat(pad));
            let expected = Some((string_text.len(), escapes && pad > 0));
            for rest in ["", r#","x":"\"","y":1}"#] {
                assert_eq!(string(format!("{string_text}{rest}").as_bytes()), expected);
            }
            assert_eq!(string(&string_text.as_bytes()[..string_text.len() - 1]), None, "{string_text}");
        }
    }
}

#[test]
fn a_scalar_is_a_number_or_one_of_three_words() {
    for (text, length) in
        [("-1.5e+3,", Some(7)), ("null}", Some(4)), ("nul}", None), (",", None), ("1", None)]
    {
        assert_eq!(scalar(text.as_bytes()), length, "{text}");
    }
}

#[test]
fn depth_is_counted_by_brackets_outside_of_strings() {
    for depth in [1, 48, 49, 50, 51, 64, 65, 200] {
        let nested = "[".repeat(depth) + &"]".repeat(depth);
        for pad in 0..200 {
            let text = format!(r#"{{"{}":[[],{{}}],"b":{nested},"c":[]}}"#, "[".repeat(pad));
            assert_eq!(is_deeper(text.as_bytes(), 50), depth > 49, "{text}");
            assert_eq!(super::depth(text.as_bytes(), 50), 50_u32.max(depth as u32 + 1), "{text}");
        }
    }
    let wide = format!("[{}]", [r#"{"a":[1]}"#; 1000].join(","));
    assert!(is_deeper(wide.as_bytes(), 2) && !is_deeper(wide.as_bytes(), 3));
}
