"""Recipes: reading them, composing them, and the language of their expressions. No torch in here."""
