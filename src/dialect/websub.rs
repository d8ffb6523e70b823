//! websub
