//! Names of the files that say what the database consists of.
//!
//! ```text
//!   manifest-00000000000000000007.log     a manifest
//!   CURRENT                               which manifest holds; replaced by renaming CURRENT.tmp over it
//! ```

/// The file that names the manifest.
pub(crate) const CURRENT: &str = "CURRENT";

/// Where `CURRENT` is written before it gets its name.
pub(crate) const CURRENT_TEMPORARY: &str = "CURRENT.tmp";

/// The name of manifest `number`.
pub(crate) fn manifest_name(number: u32) -> String {
    format!("manifest-{number:020}.log")
}

/// The number of the manifest that `name` names, if it names one.
pub(crate) fn manifest_number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("manifest-")?.strip_suffix(".log")?;
    let is_number = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: Option<u64> = is_number.then(|| digits.parse().ok()).flatten();
    number.filter(|number| *number > 0).and_then(|number| u32::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gives_its_number_back_and_nothing_else_passes_for_one() {
        assert_eq!(manifest_number(&manifest_name(7)), Some(7));
        for name in ["manifest-42.log", "manifest-00000000000000000000.log", "manifest-00000000004294967296.log", ""] {
            assert_eq!(manifest_number(name), None, "{name}");
        }
    }
}
