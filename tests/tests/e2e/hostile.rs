//! What no API server sends, and what it sends seldom: every answer is a review with the right UID.
