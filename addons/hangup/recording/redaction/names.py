"""What the name of a field, a parameter or a header says of its value: that it is a secret, or that it may be one.

Of a name that only may be one of a secret, the value decides: :func:`~hangup.recording.redaction.looks.is_random`.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache


class Meaning(Enum):
    """What a name says of its value."""

    SECRET = "secret"
    """It is one, whatever it looks like."""
    HELD = "held"
    """It is one, and so is what looks made by a machine in whatever it holds (``session``: an id, or an object)."""
    RANDOM = "random"
    """It is one if it looks like a key (``key``, ``auth``, ``token_id``)."""
    DIGITS = "digits"
    """It is one if it is a number of four digits or more (``pin``)."""
    NOTHING = "nothing"


_ENDS = tuple(
    "password passwd pwd passphrase passcode secret token apikey accesskey secretkey privatekey authkey signingkey "
    "encryptionkey masterkey sharedkey accountkey authorization credential cookie jwt bearer csrf xsrf otp signature "
    "mnemonic seedphrase recoveryphrase recoverycode backupcode securitycode verificationcode onetimecode mfacode "
    "twofactorcode smscode authcode connectionstring accesskeyid creditcard cardnumber cvv cvc cvv2 ssn pwhash "
    "passwort kennwort senha contraseña contrasena motdepasse wachtwoord parola пароль 密码 密碼 口令 パスワード "
    "비밀번호".split()
)
"""A name that ends so, in whatever way it is written, is one of a secret."""

_WORDS = frozenset(
    "password passwd pwd passphrase passcode secret token apikey credential credentials jwt bearer otp totp".split()
)
"""Words that say so within a name, too: ``token_value``, ``password2``."""

_ABOUT = frozenset(
    "count counts total type types expires expiry expiration expire ttl lifetime age at in on since until length len "
    "size limit max min used usage uses budget scheme format error errors valid validity required enabled disabled "
    "strength policy hint status state index kind label algorithm alg endpoint url uri name names version per rate "
    "left remaining cost price symbol address decimals supply details provider issuer source location file path dir "
    "second minute hour day reset changed updated created sent ok is has needs mode field header prefix standard pair "
    "pairs".split()
)
"""What a name that ends so tells *of* a secret, it is none."""

_HELD = frozenset("session sessionid sessionkey sid sessid phpsessid jsessionid connectsid auth sig".split())
_DIGITS = frozenset("pin pincode userpin".split())
_LOOSE = frozenset(
    "key keys auth access grant verifier assertion nonce ticket hmac sas dsn login cred creds invite session pass "
    "salt seed webhook capability private".split()
)
_OTHER_KEYS = frozenset(
    "public pub primary foreign natural sort partition routing cache idempotency translation object storage react "
    "hot index map group lookup row col column dedupe deduplication message event i18n unique composite".split()
)
_IN_QUERIES = _HELD | frozenset("key code ticket pass pw".split())
_ALL = frozenset(_ENDS) | _IN_QUERIES | _WORDS

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_a-zA-Z]+")


def normal(name: str) -> str:
    """``Access-Token``, ``access_token`` and ``accessToken`` are one name."""
    return "".join(char for char in name.lower() if char.isalnum())


def is_strong(name: str) -> bool:
    """Whether a name says that its value is a secret."""
    return meaning(name) is Meaning.SECRET


def in_query(name: str) -> bool:
    """Whether a name that says little elsewhere is one of a secret in a query (``code``, ``key``)."""
    return normal(name) in _IN_QUERIES


def is_a_name(text: str) -> bool:
    """Whether a text is itself one of the names that give secrets away: hiding it everywhere would hide the names."""
    return normal(text) in _ALL


@lru_cache(4096)
def meaning(name: str) -> Meaning:
    """What a name says of its value."""
    key = normal(name)
    if key.removesuffix("s").endswith(_ENDS) or key.endswith(_ENDS) or key.startswith("password"):
        words = _words(name)
        # `passwordLength`: what stands last is what the name is of.
        return Meaning.NOTHING if key.startswith("password") and words and words[-1] in _ABOUT else Meaning.SECRET
    if key in _HELD:
        return Meaning.HELD
    if key in _DIGITS:
        return Meaning.DIGITS
    words = _words(name)
    if not words:
        return Meaning.NOTHING
    if any(word in _WORDS or word.removesuffix("s") in _WORDS for word in words):
        if words[-1] in _ABOUT:
            return Meaning.NOTHING
        return Meaning.RANDOM if words[-1] in ("id", "ids") else Meaning.SECRET
    if words[-1] in ("key", "keys") and len(words) > 1 and words[-2] in _OTHER_KEYS:
        return Meaning.NOTHING
    if words[-1] in _LOOSE or (len(words) > 1 and words[-1] in ("id", "code", "data") and words[-2] in _LOOSE):
        return Meaning.RANDOM
    return Meaning.NOTHING


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(name)]
