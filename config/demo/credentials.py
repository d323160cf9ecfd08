"""Who signs in to the demo, and who reads its e-mails."""

import os

DEMO_EMAIL = "demo@truelift.localhost"
DEMO_NAME = "Dana Demo"
DEMO_PASSWORD = os.environ.get("TRUELIFT_DEMO_PASSWORD") or "measure-what-matters"
EXECUTIVE_EMAIL = "exec@truelift.localhost"
PROJECT_SLUG = "demo-shop"
