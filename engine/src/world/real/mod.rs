//! The real world: tokio, the file system, OS entropy.
