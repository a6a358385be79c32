// Carries the precompiled header that every layer over Arrow shares; it has no code of its own.
