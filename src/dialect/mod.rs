//! How a publication becomes the headers and the body of a request, one file for each dialect; pure.

pub mod websub;
