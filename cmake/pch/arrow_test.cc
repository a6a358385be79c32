// Carries the precompiled header that the tests of every layer over Arrow share; it has no code of its own.
