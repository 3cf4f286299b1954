//! Go's spelling of flags, so that commands written for the Go sample work unchanged.

use std::ffi::OsString;

/// Rewrites Go's single-dash spelling of long flags (`-namespace x`, `-namespace=x`) to clap's
/// double-dash one.
///
/// The first item is the program's name and is kept. `-` alone, one-letter flags (`-h`) and
/// everything after `--` stay as they are too. Unknown names are rewritten like known ones, so that
/// clap's message can suggest the flag that was meant.
pub(crate) fn double_dashes(
    args: impl IntoIterator<Item = OsString>,
) -> impl Iterator<Item = OsString> {
    let mut literal = false;
    args.into_iter().enumerate().map(move |(position, arg)| {
        literal |= arg == "--";
        if position == 0 || literal || !has_single_dash(&arg) {
            return arg;
        }
        let mut doubled = OsString::from("-");
        doubled.push(arg);
        doubled
    })
}

fn has_single_dash(arg: &OsString) -> bool {
    matches!(arg.as_encoded_bytes(), [b'-', second, _, ..] if *second != b'-')
}

/// Reads a boolean as Go's `flag` package does: `1`, `t`, `T`, `TRUE`, `true`, `True` and their
/// opposites.
pub(crate) fn parse_bool(text: &str) -> Result<bool, &'static str> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err("expected true or false"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(args: &[&str]) -> Vec<String> {
        double_dashes(["program"].iter().chain(args).map(OsString::from))
            .skip(1)
            .map(|arg| arg.into_string().unwrap())
            .collect()
    }

    #[test]
    fn single_dashes_become_double() {
        for (given, expected) in [
            ("-namespace", "--namespace"),
            ("-namespace=x", "--namespace=x"),
            ("-namespace=", "--namespace="),
            ("-namespace=-x", "--namespace=-x"),
            ("-help", "--help"),
            ("-no-such-flag", "--no-such-flag"),
            ("-ünï", "--ünï"),
        ] {
            assert_eq!(rewritten(&[given]), [expected]);
        }
    }

    #[test]
    fn everything_else_stays() {
        for arg in ["--namespace", "--namespace=-x", "-h", "-", "", "x", "a-b"] {
            assert_eq!(rewritten(&[arg]), [arg]);
        }
    }

    #[test]
    fn nothing_changes_after_two_dashes() {
        assert_eq!(
            rewritten(&["-a1", "--", "-b1", "--", "-c1"]),
            ["--a1", "--", "-b1", "--", "-c1"]
        );
    }

    #[test]
    fn the_program_name_is_no_flag() {
        let args = ["-odd-name", "-x1"].map(OsString::from);
        assert_eq!(
            double_dashes(args).collect::<Vec<_>>(),
            ["-odd-name", "--x1"]
        );
    }

    #[cfg(unix)]
    #[test]
    fn arguments_that_are_not_unicode_survive() {
        use std::os::unix::ffi::OsStringExt;
        let args = [b"p".to_vec(), b"-k=\xff".to_vec()].map(OsString::from_vec);
        let rewritten: Vec<_> = double_dashes(args).collect();
        assert_eq!(rewritten[1], OsString::from_vec(b"--k=\xff".to_vec()));
    }

    #[test]
    fn booleans_are_gos() {
        for text in ["1", "t", "T", "TRUE", "true", "True"] {
            assert_eq!(parse_bool(text), Ok(true));
        }
        for text in ["0", "f", "F", "FALSE", "false", "False"] {
            assert_eq!(parse_bool(text), Ok(false));
        }
        for text in ["", "yes", "no", "tRUE", " true", "2"] {
            assert!(parse_bool(text).is_err(), "{text:?}");
        }
    }
}
