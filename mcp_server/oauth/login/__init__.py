"""The pages on which a person signs in and decides."""
