//! Whether a value is what a schema of an OpenAPI document says, as far as our document uses JSON Schema.
//!
//! It is stricter than the standard in one thing: an object may have no fields that the schema does not speak of, or what
//! is answered could grow without being documented. What it does not know in a schema is an error.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// What our document says of values. Of these the last ones only tell people something.
const KNOWN: [&str; 17] = [
    "$ref",
    "allOf",
    "anyOf",
    "oneOf",
    "type",
    "enum",
    "const",
    "minimum",
    "maximum",
    "items",
    "properties",
    "required",
    "additionalProperties",
    "format",
    "description",
    "default",
    "title",
];

/// Whether `value` is what `schema` says; `place` is where it stands.
///
/// # Errors
/// What is wrong, and where.
pub fn check(document: &Value, schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    let known = fits(document, schema, value, place)?;
    if let (Some(known), Some(fields)) = (known, value.as_object())
        && let Some(name) = fields.keys().find(|name| !known.contains(*name))
    {
        return Err(format!("{place}.{name} is not documented"));
    }
    Ok(())
}

/// The names of the fields that the schema speaks of; none if it says nothing of fields.
fn fits(
    document: &Value,
    schema: &Value,
    value: &Value,
    place: &str,
) -> Result<Option<BTreeSet<String>>, String> {
    let schema = match schema {
        Value::Bool(true) => return Ok(None),
        Value::Object(schema) => schema,
        other => return Err(format!("{place}: {other} is no schema")),
    };
    if let Some(word) = schema.keys().find(|word| !KNOWN.contains(&word.as_str())) {
        return Err(format!("{place}: what does `{word}` mean?"));
    }
    simple(schema, value).map_err(|why| format!("{place}: {why}: {value}"))?;
    let mut known: Option<BTreeSet<String>> = None;
    let mut learn = |more: Option<BTreeSet<String>>| {
        if let Some(more) = more {
            known.get_or_insert_default().extend(more);
        }
    };
    if let Some(path) = schema.get("$ref").and_then(Value::as_str) {
        let found = document.pointer(path.trim_start_matches('#')).ok_or(format!("{path} is not there"))?;
        learn(fits(document, found, value, place)?);
    }
    for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        learn(fits(document, part, value, place)?);
    }
    for (word, most) in [("oneOf", 1), ("anyOf", usize::MAX)] {
        let Some(choices) = schema.get(word).and_then(Value::as_array) else { continue };
        let tried: Vec<_> = choices.iter().map(|choice| fits(document, choice, value, place)).collect();
        let fitting = tried.iter().filter(|tried| tried.is_ok()).count();
        if fitting == 0 || fitting > most {
            let why: Vec<String> = tried.into_iter().filter_map(Result::err).collect();
            return Err(format!("{place}: {fitting} choices of {word} fit: {}", why.join(" / ")));
        }
        tried.into_iter().flatten().for_each(&mut learn);
    }
    if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
        for (n, value) in values.iter().enumerate() {
            check(document, items, value, &format!("{place}[{n}]"))?;
        }
    }
    if let Some(fields) = value.as_object() {
        learn(members(document, schema, fields, place)?);
    }
    Ok(known)
}

/// What a schema says of a value whatever stands in it.
fn simple(schema: &Map<String, Value>, value: &Value) -> Result<(), String> {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let is_kind = |wanted: &Value| wanted == kind || wanted == "number" && kind == "integer";
    let is_one = match schema.get("type") {
        None => true,
        Some(Value::Array(kinds)) => kinds.iter().any(is_kind),
        Some(kind) => is_kind(kind),
    };
    if !is_one {
        return Err(format!("not {}", schema["type"]));
    }
    if let Some(Value::Array(choices)) = schema.get("enum")
        && !choices.contains(value)
    {
        return Err(format!("none of {choices:?}"));
    }
    if let Some(fixed) = schema.get("const")
        && fixed != value
    {
        return Err(format!("not {fixed}"));
    }
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    if let Some(number) = value.as_f64()
        && (bound("minimum").is_some_and(|least| number < least)
            || bound("maximum").is_some_and(|most| number > most))
    {
        return Err("out of range".to_owned());
    }
    Ok(())
}

fn members(
    document: &Value,
    schema: &Map<String, Value>,
    fields: &Map<String, Value>,
    place: &str,
) -> Result<Option<BTreeSet<String>>, String> {
    for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
        if !name.as_str().is_some_and(|name| fields.contains_key(name)) {
            return Err(format!("{place} has no {name}"));
        }
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    let others = schema.get("additionalProperties");
    let mut known = BTreeSet::new();
    for (name, value) in fields {
        if let Some(schema) = properties.and_then(|properties| properties.get(name)).or(others) {
            check(document, schema, value, &format!("{place}.{name}"))?;
            known.insert(name.clone());
        }
    }
    Ok((properties.is_some() || others.is_some()).then_some(known))
}

#[test]
fn a_value_fits_its_schema_or_not() {
    use serde_json::json;
    let document = json!({ "parts": {
        "A": { "type": "object", "properties": { "a": { "type": "integer", "minimum": 0 } }, "required": ["a"] },
        "B": { "type": "object", "properties": { "b": { "type": ["string", "null"] } } },
    } });
    let tagged = json!({
        "type": "object",
        "properties": { "n": { "type": "number" } },
        "oneOf": [
            { "type": "object", "properties": { "kind": { "const": "a" } }, "required": ["kind"], "$ref": "#/parts/A" },
            { "type": "object", "properties": { "kind": { "const": "b" } }, "required": ["kind"], "$ref": "#/parts/B" },
        ],
    });
    let list = json!({ "type": "array", "items": { "enum": ["x", "y"] } });
    let map = json!({ "type": "object", "additionalProperties": { "type": "integer" } });
    for (schema, value, fit) in [
        (&tagged, json!({ "kind": "a", "a": 7, "n": 1 }), true),
        (&tagged, json!({ "kind": "b", "b": null }), true),
        (&tagged, json!({ "kind": "b" }), true),
        (&tagged, json!({ "kind": "a" }), false),
        (&tagged, json!({ "kind": "a", "a": -1 }), false),
        (&tagged, json!({ "kind": "a", "a": 1.5 }), false),
        (&tagged, json!({ "kind": "a", "a": 1, "b": "of the other" }), false),
        (&tagged, json!({ "kind": "c" }), false),
        (&list, json!(["x", "x", "y"]), true),
        (&list, json!(["z"]), false),
        (&map, json!({ "p": 1, "q": 2 }), true),
        (&map, json!({ "p": "1" }), false),
        (&json!({ "pattern": "x" }), json!("x"), false),
        (&json!({}), json!({ "any": ["thing"] }), true),
    ] {
        assert_eq!(check(&document, schema, &value, "").is_ok(), fit, "{schema} {value}");
    }
}
