"""How what can be called is declared, and the form in which it is hashed."""
