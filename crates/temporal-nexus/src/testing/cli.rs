//! Where the `temporal` program is.

use super::DevServerError;
use std::{
    env,
    ffi::OsString,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// The environment variable that holds the path of the `temporal` program.
pub(super) const VARIABLE: &str = "TEMPORAL_CLI";

/// The places to look at.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// What the caller asked for.
    configured: Option<PathBuf>,
    /// The value of [`VARIABLE`].
    variable: Option<OsString>,
    /// Directories that, or a parent of which, may hold `bin/temporal`.
    roots: Vec<PathBuf>,
    /// The value of `PATH`.
    path: Option<OsString>,
}

impl Search {
    /// The places that the process's environment names.
    pub(super) fn new(configured: Option<PathBuf>) -> Self {
        let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let mut roots: Vec<_> = package.into_iter().chain(env::current_dir()).collect();
        // Under cargo the two are one.
        roots.dedup();
        Self {
            configured,
            variable: env::var_os(VARIABLE),
            roots,
            path: env::var_os("PATH"),
        }
    }

    /// The first program found. A path that somebody set is taken or refused, never passed over.
    pub(super) fn find(&self) -> Result<PathBuf, DevServerError> {
        let variable = self.variable.as_ref().filter(|path| !path.is_empty());
        let (program, looked_at) = if let Some(path) = &self.configured {
            (program(path.clone()), path.display().to_string())
        } else if let Some(path) = variable.map(PathBuf::from) {
            let looked_at = format!("{} (from {VARIABLE})", path.display());
            (program(path), looked_at)
        } else {
            (self.programs().next(), self.described())
        };
        program.ok_or(DevServerError::CliNotFound { looked_at })
    }

    /// The programs in the usual places, nearest first.
    fn programs(&self) -> impl Iterator<Item = PathBuf> {
        let above = self.roots.iter().flat_map(|root| root.ancestors());
        let on_path = self.path.iter().flat_map(env::split_paths);
        above
            .map(|directory| directory.join("bin/temporal"))
            .chain(on_path.map(|directory| directory.join("temporal")))
            .filter_map(program)
    }

    fn described(&self) -> String {
        let roots = self.roots.iter();
        roots
            .map(|root| format!("bin/temporal in or above {}", root.display()))
            .chain(["temporal on PATH".to_owned()])
            .collect::<Vec<_>>()
            .join(", ")
    }
}

fn program(path: PathBuf) -> Option<PathBuf> {
    let executable = |path: &Path| {
        path.metadata()
            .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    executable(&path).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A directory of its own that goes away with the value.
    struct Directory(PathBuf);

    impl Directory {
        fn new() -> Self {
            let path = env::temp_dir().join(super::super::unique("cli-search"));
            fs::create_dir_all(&path).expect("a directory");
            Self(path)
        }

        fn file(&self, name: &str, mode: u32) -> PathBuf {
            let path = self.0.join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            fs::write(&path, "").expect("a file");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
            path
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn refused(search: Search) -> String {
        search.find().expect_err("nothing to find").to_string()
    }

    #[test]
    fn a_configured_path_comes_first() {
        let directory = Directory::new();
        let configured = directory.file("mine", 0o755);
        let search = Search {
            configured: Some(configured.clone()),
            variable: Some(directory.file("other", 0o755).into()),
            ..Search::default()
        };
        assert_eq!(search.find().expect("the program"), configured);
    }

    #[test]
    fn the_variable_comes_before_the_directories() {
        let directory = Directory::new();
        directory.file("bin/temporal", 0o755);
        let variable = directory.file("variable", 0o755);
        let search = Search {
            variable: Some(variable.clone().into()),
            roots: vec![directory.0.clone()],
            ..Search::default()
        };
        assert_eq!(search.find().expect("the program"), variable);
    }

    #[test]
    fn a_variable_that_leads_nowhere_is_an_error_and_not_passed_over() {
        let directory = Directory::new();
        directory.file("bin/temporal", 0o755);
        let message = refused(Search {
            variable: Some("/nowhere/temporal".into()),
            roots: vec![directory.0.clone()],
            ..Search::default()
        });
        assert_eq!(
            message,
            "no temporal cli at /nowhere/temporal (from TEMPORAL_CLI): run `bin/setup`, \
             or install the cli and set TEMPORAL_CLI to its path"
        );
    }

    #[test]
    fn an_empty_variable_is_no_variable() {
        let directory = Directory::new();
        let program = directory.file("bin/temporal", 0o755);
        let search = Search {
            variable: Some(OsString::new()),
            roots: vec![directory.0.clone()],
            ..Search::default()
        };
        assert_eq!(search.find().expect("the program"), program);
    }

    #[test]
    fn the_nearest_directory_above_wins_over_the_path() {
        let directory = Directory::new();
        let program = directory.file("bin/temporal", 0o755);
        directory.file("elsewhere/temporal", 0o755);
        let search = Search {
            roots: vec![directory.0.join("crates/deep")],
            path: Some(directory.0.join("elsewhere").into()),
            ..Search::default()
        };
        assert_eq!(search.find().expect("the program"), program);
    }

    #[test]
    fn a_file_that_cannot_be_executed_is_passed_over() {
        let directory = Directory::new();
        directory.file("bin/temporal", 0o644);
        let program = directory.file("elsewhere/temporal", 0o755);
        let search = Search {
            roots: vec![directory.0.clone()],
            path: Some(directory.0.join("elsewhere").into()),
            ..Search::default()
        };
        assert_eq!(search.find().expect("the program"), program);
    }

    #[test]
    fn nothing_found_names_every_place() {
        let message = refused(Search {
            roots: vec!["/nowhere/crate".into()],
            path: Some("/nowhere/bin".into()),
            ..Search::default()
        });
        assert_eq!(
            message,
            "no temporal cli at bin/temporal in or above /nowhere/crate, temporal on PATH: run `bin/setup`, \
             or install the cli and set TEMPORAL_CLI to its path"
        );
    }
}
