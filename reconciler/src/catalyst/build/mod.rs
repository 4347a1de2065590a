//! Images are built by Jobs.
