"""Steps that go back: what each turn by hand has changed is remembered by that alone, and put back."""
