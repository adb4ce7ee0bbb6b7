//! The real network: framed TCP.
