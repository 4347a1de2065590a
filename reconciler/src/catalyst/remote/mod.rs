//! What is asked of others: git servers, registries and the web application.
