"""Intake: deliveries in, typed `raw.*` tables out, with every row accounted for; the site's own registers."""
