"""Tests of app.orkg against the double of the ORKG."""
