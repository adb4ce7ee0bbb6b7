//! The conformance suite that every world must pass.
