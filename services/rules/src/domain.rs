//! What the rules service decides, as pure functions. Never: a row, a message, a clock.
