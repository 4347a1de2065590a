//! A compose file, as far as it is understood. Texts keep their place; other keys are passed over.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use serde_saphyr::Spanned;

/// A text and where it stands; numbers are texts as they were written.
pub(super) type Text = Spanned<String>;
/// Something whose place alone is of interest.
pub(super) type Place = Spanned<IgnoredAny>;

#[derive(Debug, Deserialize)]
pub(super) struct File {
    #[serde(default)]
    pub(super) services: BTreeMap<String, Spanned<Service>>,
    pub(super) include: Option<Place>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Service {
    pub(super) image: Option<Text>,
    pub(super) build: Option<Place>,
    pub(super) command: Option<Words>,
    pub(super) entrypoint: Option<Words>,
    #[serde(default)]
    pub(super) environment: Variables,
    pub(super) env_file: Option<Spanned<Files>>,
    #[serde(default)]
    pub(super) ports: Vec<Spanned<Port>>,
    #[serde(default)]
    pub(super) expose: Vec<Text>,
    #[serde(default)]
    pub(super) volumes: Vec<Spanned<Mount>>,
    pub(super) tmpfs: Option<Spanned<Words>>,
    pub(super) healthcheck: Option<Healthcheck>,
    pub(super) deploy: Option<Deploy>,
    pub(super) cpus: Option<Text>,
    pub(super) mem_limit: Option<Text>,
    pub(super) user: Option<Text>,
    pub(super) working_dir: Option<Text>,
    #[serde(default)]
    pub(super) profiles: Vec<Text>,
    // What no environment has.
    pub(super) privileged: Option<Spanned<bool>>,
    pub(super) network_mode: Option<Text>,
    pub(super) pid: Option<Place>,
    pub(super) ipc: Option<Place>,
    pub(super) userns_mode: Option<Place>,
    pub(super) cap_add: Option<Place>,
    pub(super) devices: Option<Place>,
    pub(super) security_opt: Option<Place>,
    pub(super) sysctls: Option<Place>,
    pub(super) extends: Option<Place>,
    pub(super) secrets: Option<Place>,
    pub(super) configs: Option<Place>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Healthcheck {
    pub(super) test: Option<Spanned<Words>>,
    pub(super) interval: Option<Text>,
    pub(super) timeout: Option<Text>,
    pub(super) start_period: Option<Text>,
    pub(super) retries: Option<Text>,
    #[serde(default)]
    pub(super) disable: bool,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Deploy {
    pub(super) replicas: Option<Text>,
    #[serde(default)]
    pub(super) resources: Resources,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Resources {
    #[serde(default)]
    pub(super) limits: Amounts,
    #[serde(default)]
    pub(super) reservations: Amounts,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Amounts {
    pub(super) cpus: Option<Text>,
    pub(super) memory: Option<Text>,
}

/// A port as one text, or with fields.
#[derive(Debug)]
pub(super) enum Port {
    Short(String),
    Long(Box<LongPort>),
}

#[derive(Debug, Deserialize)]
pub(super) struct LongPort {
    pub(super) target: Text,
    pub(super) published: Option<Text>,
    pub(super) host_ip: Option<Text>,
    pub(super) protocol: Option<Text>,
}

/// A volume as one text, or with fields.
#[derive(Debug)]
pub(super) enum Mount {
    Short(String),
    Long(Box<LongMount>),
}

#[derive(Debug, Deserialize)]
pub(super) struct LongMount {
    #[serde(rename = "type")]
    pub(super) kind: Option<Text>,
    pub(super) source: Option<Text>,
    pub(super) target: Text,
    #[serde(default)]
    pub(super) read_only: bool,
}

/// A command: one text, or its words.
#[derive(Debug)]
pub(super) enum Words {
    Line(String),
    List(Vec<String>),
}

/// Variables as `NAME=value` or as a map; without a value that of the environment is meant.
#[derive(Debug, Default)]
pub(super) struct Variables(pub(super) Vec<Variable>);

#[derive(Debug)]
pub(super) enum Variable {
    Pair(Text),
    Field(String, Option<Text>),
}

/// Files with variables: one, several, or each with `path` and `required`.
#[derive(Debug, Default)]
pub(super) struct Files(pub(super) Vec<EnvFile>);

#[derive(Debug)]
pub(super) struct EnvFile {
    pub(super) path: String,
    pub(super) required: bool,
}

#[derive(Deserialize)]
struct LongEnvFile {
    path: String,
    #[serde(default = "yes")]
    required: bool,
}

fn yes() -> bool {
    true
}

/// Reads what may stand as one text, and in other forms too.
macro_rules! forms {
    ($type:ty, $expecting:literal, text: $text:expr, $($other:item)*) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Forms;
                impl<'de> Visitor<'de> for Forms {
                    type Value = $type;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expecting)
                    }

                    fn visit_str<E: Error>(self, text: &str) -> Result<$type, E> {
                        Ok($text(text.to_owned()))
                    }

                    fn visit_i64<E: Error>(self, number: i64) -> Result<$type, E> {
                        Ok($text(number.to_string()))
                    }

                    fn visit_u64<E: Error>(self, number: u64) -> Result<$type, E> {
                        Ok($text(number.to_string()))
                    }

                    $($other)*
                }
                deserializer.deserialize_any(Forms)
            }
        }
    };
}

forms! { Port, "a port", text: Port::Short,
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Port, A::Error> {
        LongPort::deserialize(MapAccessDeserializer::new(map)).map(|port| Port::Long(Box::new(port)))
    }
}

forms! { Mount, "a volume", text: Mount::Short,
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Mount, A::Error> {
        LongMount::deserialize(MapAccessDeserializer::new(map)).map(|mount| Mount::Long(Box::new(mount)))
    }
}

forms! { Words, "a text or a list of texts", text: Words::Line,
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Words, A::Error> {
        let mut words = Vec::new();
        while let Some(word) = list.next_element()? {
            words.push(word);
        }
        Ok(Words::List(words))
    }
}

forms! { EnvFile, "a file", text: |path| EnvFile { path, required: true },
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<EnvFile, A::Error> {
        let LongEnvFile { path, required } = LongEnvFile::deserialize(MapAccessDeserializer::new(map))?;
        Ok(EnvFile { path, required })
    }
}

forms! { Files, "a file or a list of files", text: |path| Files(vec![EnvFile { path, required: true }]),
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Files, A::Error> {
        let mut files = Vec::new();
        while let Some(file) = list.next_element()? {
            files.push(file);
        }
        Ok(Files(files))
    }
}

impl<'de> Deserialize<'de> for Variables {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(VariablesVisitor)
    }
}

struct VariablesVisitor;

impl<'de> Visitor<'de> for VariablesVisitor {
    type Value = Variables;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("variables")
    }

    fn visit_unit<E: Error>(self) -> Result<Variables, E> {
        Ok(Variables::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Variables, A::Error> {
        let mut variables = Vec::new();
        while let Some(pair) = list.next_element()? {
            variables.push(Variable::Pair(pair));
        }
        Ok(Variables(variables))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Variables, A::Error> {
        let mut variables = Vec::new();
        while let Some((name, value)) = map.next_entry()? {
            variables.push(Variable::Field(name, value));
        }
        Ok(Variables(variables))
    }
}
