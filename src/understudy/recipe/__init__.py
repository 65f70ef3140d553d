"""Recipes in Amazon ML's language: which features a model sees. Fitted on training rows, then frozen."""

from understudy.recipe.fitted import FittedRecipe, fit
from understudy.recipe.language import Recipe, parse
from understudy.recipe.suggest import Suggestion, suggest

__all__ = ["FittedRecipe", "Recipe", "Suggestion", "fit", "parse", "suggest"]
