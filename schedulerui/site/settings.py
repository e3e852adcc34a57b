"""Settings of the bundled site; everything that differs between installations comes from the environment."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import dj_database_url
from django.utils.translation import gettext_lazy as _

from schedulerui.site import environment

HOME = environment.home_of(os.environ)
# In a checkout templates and static files lie beside the package; in the wheel inside it, where APP_DIRS finds them.
_CHECKOUT = Path(__file__).resolve().parents[2]
_HTTPS = environment.is_on(os.environ, "SCHEDULERUI_HTTPS")

SECRET_KEY = environment.secret_key(os.environ, HOME)
DEBUG = environment.is_on(os.environ, "SCHEDULERUI_DEBUG")
ALLOWED_HOSTS = environment.words(os.environ, "ALLOWED_HOSTS", default=("localhost", "127.0.0.1", "[::1]"))
CSRF_TRUSTED_ORIGINS = environment.words(os.environ, "CSRF_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "axes",
    "csp",
    "django_htmx",
    "django_filters",
    "schedulerui",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",  # the browser's language, among those below
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "schedulerui.site.urls"
WSGI_APPLICATION = "schedulerui.site.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [_CHECKOUT / "templates"] if (_CHECKOUT / "templates" / "schedulerui").is_dir() else [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]


def _database() -> dict[str, Any]:
    url = os.environ.get("DATABASE_URL")
    if not url:
        database: dict[str, Any] = {"ENGINE": "django.db.backends.sqlite3", "NAME": HOME.database}
    else:
        database = {**dj_database_url.parse(url)}
    if database["ENGINE"] == "django.db.backends.sqlite3":
        # Writers wait for each other (at most 20 s) and do not fail halfway; readers never wait for a writer.
        database["OPTIONS"] = {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;",
            **database.get("OPTIONS", {}),
        }
    else:
        database.update(CONN_MAX_AGE=60, CONN_HEALTH_CHECKS=True)
    return database


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
# A name from one address: nobody elsewhere can lock its owner out, and guessing gets ten tries each quarter of an hour. An
# address gets a hundred for all names together.
AXES_HANDLER = "schedulerui.site.guessing.Guesses"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
# What is refused unseen is no guess: one program with an old password would lock its whole address, and never get in again.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_CLIENT_IP_CALLABLE = "schedulerui.web.client_address.counted_address"
AXES_LOCKOUT_TEMPLATE = "schedulerui/site/locked.html"
AXES_DISABLE_ACCESS_LOG = True
AXES_ALLOWED_CORS_ORIGINS = ""
AXES_VERBOSE = False
CSRF_FAILURE_VIEW = "schedulerui.web.failed.forged"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("de", _("German"))]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATIC_ROOT = HOME.static
STATICFILES_DIRS = [_CHECKOUT / "static"] if (_CHECKOUT / "static" / "schedulerui").is_dir() else []
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "connect-src": ["'self'"],
        "font-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'self'"],
    }
}
# The dashboard's own views answer SAMEORIGIN (a CMS shows them in an overlay); login and admin stay out of frames.
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = _HTTPS
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if _HTTPS else 0
# The web server listens on loopback behind the TLS proxy, which alone can set this header.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _HTTPS else None
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": os.environ.get("SCHEDULERUI_LOG_LEVEL", "INFO").upper()},
    "loggers": {"django": {"handlers": [], "level": "INFO", "propagate": True}},
}

EMAIL_HOST = os.environ.get("EMAIL_HOST", "localhost")
EMAIL_PORT = int(os.environ.get("EMAIL_PORT", "25"))
EMAIL_HOST_USER = os.environ.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = environment.is_on(os.environ, "EMAIL_USE_TLS")
DEFAULT_FROM_EMAIL = os.environ.get("DEFAULT_FROM_EMAIL", "schedulerui@localhost")

CELERY_BROKER_URL = environment.broker_url(os.environ, HOME)
CELERY_BROKER_TRANSPORT_OPTIONS = environment.transport_options(CELERY_BROKER_URL)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker waits for its broker for as long as it takes
CELERY_WORKER_SEND_TASK_EVENTS = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 3.0  # seconds that running tasks have left when the site is stopped
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_SEND_SENT_EVENT = True
CELERY_TASK_TRACK_STARTED = True
CELERY_RESULT_BACKEND = None  # results stand in the run history
CELERY_TASK_IGNORE_RESULT = True
CELERY_TIMEZONE = TIME_ZONE
CELERY_BEAT_SCHEDULER = "schedulerui"
CELERY_IMPORTS = [
    *(
        ["schedulerui.site.demo_tasks"]
        if environment.is_on(os.environ, "SCHEDULERUI_DEMO", default=True)
        else []
    ),
    *environment.words(
        os.environ, "SCHEDULERUI_TASKS"
    ),  # modules of your own tasks, for a site without a project
]

SCHEDULERUI = {
    "CELERY_APP": "schedulerui.site.celery.app",
    "SPOOL_DIR": str(HOME.spool),
    "FLOWER_URL": os.environ.get("SCHEDULERUI_FLOWER_URL", ""),
    "FLOWER_AUTH_FILE": str(HOME.flower_auth),
    "ALERTS": environment.alert_channels(os.environ),
    "DASHBOARD_URL": os.environ.get("SCHEDULERUI_DASHBOARD_URL", ""),
    "METRICS_TOKEN": os.environ.get("SCHEDULERUI_METRICS_TOKEN", ""),
}
