use std::path::PathBuf;

/// A path that no other test uses, deleted in the end.
pub(in super::super) struct TempFile(pub(in super::super) PathBuf);

impl TempFile {
    pub(in super::super) fn new() -> Self {
        let name = format!("nexus-operations-{}.redb", uuid::Uuid::new_v4());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
