//! The texts of errors in zh-CN and en, as Fluent catalogues: kit's own and each service's beside it.
//!
//! A text's id is the reason itself. Never: texts of plugins (their manifests carry those).

use std::sync::Arc;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use linli_kernel::Lang;
use unic_langid::langid;

const KIT_ZH: &str = include_str!("../locales/zh-CN.ftl");
const KIT_EN: &str = include_str!("../locales/en.ftl");

/// A catalogue of texts in both languages.
#[derive(Clone)]
pub struct Texts {
    zh: Arc<FluentBundle<FluentResource>>,
    en: Arc<FluentBundle<FluentResource>>,
}

impl Texts {
    /// Kit's own texts.
    pub fn kit() -> Self {
        Self::with("", "")
    }

    /// Kit's own texts, built once.
    pub fn shared_kit() -> Self {
        static KIT: std::sync::LazyLock<Texts> = std::sync::LazyLock::new(Texts::kit);
        KIT.clone()
    }

    /// Kit's texts and a service's own, given as Fluent sources.
    ///
    /// # Panics
    /// When a source is not valid Fluent; sources are compiled in, and a test loads each.
    pub fn with(zh_cn: &str, en: &str) -> Self {
        Self {
            zh: Arc::new(bundle(langid!("zh-CN"), [KIT_ZH, zh_cn])),
            en: Arc::new(bundle(langid!("en"), [KIT_EN, en])),
        }
    }

    /// The text of `id` with its arguments; the id itself when there is none.
    pub fn render(&self, lang: Lang, id: &str, args: &[(&'static str, String)]) -> String {
        let bundle = match lang {
            Lang::ZhCn => &self.zh,
            Lang::En => &self.en,
        };
        let Some(pattern) = bundle.get_message(id).and_then(|m| m.value()) else {
            return id.to_owned();
        };
        let mut values = FluentArgs::new();
        for (key, value) in args {
            values.set(*key, value.clone());
        }
        let mut problems = Vec::new();
        bundle.format_pattern(pattern, Some(&values), &mut problems).into_owned()
    }

    /// Whether both languages have a text for `id`.
    pub fn has(&self, id: &str) -> bool {
        self.zh.has_message(id) && self.en.has_message(id)
    }
}

fn bundle(lang: unic_langid::LanguageIdentifier, sources: [&str; 2]) -> FluentBundle<FluentResource> {
    let mut bundle = FluentBundle::new_concurrent(vec![lang]);
    bundle.set_use_isolating(false);
    for source in sources {
        let resource = FluentResource::try_new(source.to_owned())
            .unwrap_or_else(|(_, problems)| panic!("a compiled-in text catalogue is not valid Fluent: {problems:?}"));
        bundle.add_resource_overriding(resource);
    }
    bundle
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kit_text_exists_in_both_languages() {
        let ids = |source: &str| -> Vec<String> {
            source.lines().filter_map(|l| l.split_once(" = ").map(|(id, _)| id.to_owned())).collect()
        };
        assert_eq!(ids(KIT_ZH), ids(KIT_EN));
    }

    #[test]
    fn arguments_stand_in_the_text() {
        let texts = Texts::with("X = 共 { $n } 个", "X = { $n } in all");
        assert_eq!(texts.render(Lang::En, "X", &[("n", "3".into())]), "3 in all");
        assert_eq!(texts.render(Lang::ZhCn, "X", &[("n", "3".into())]), "共 3 个");
    }
}
