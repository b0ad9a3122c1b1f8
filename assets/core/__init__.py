"""Core: what arrived, joined on integers, with the people behind the rows resolved."""
