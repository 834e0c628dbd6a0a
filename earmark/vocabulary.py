"""Closed vocabularies: the words dashboards can group by.  Free words live in ``tags`` beside them."""

from enum import StrEnum


class Tier(StrEnum):
    """What a customer pays for."""

    FREE = "free"
    PRO = "pro"
    ENTERPRISE = "enterprise"


class Lane(StrEnum):
    """The two priorities."""

    HIGH = "high"
    LOW = "low"


class Origin(StrEnum):
    """How an upload reached us."""

    COMMAND = "command"
    API = "api"
    NOTIFICATION = "notification"
    BATCH = "batch"


class ObjectClass(StrEnum):
    """What an object is, as far as keeping it goes."""

    UPLOAD = "upload"
    """A customer's audio."""
    RESULT = "result"
    """The record of an analysis."""
    TEMPORARY = "temporary"
    """Audio that nobody wants back once its job has ended."""


class ObjectState(StrEnum):
    """Where an object of the catalogue stands."""

    ACTIVE = "active"
    NOTICED = "noticed"
    """Its customer was told when it goes."""
    DELETED = "deleted"
    REPLACED = "replaced"
    """Somebody put another object in its place."""
    ARCHIVED = "archived"
    """It lies in the archive now, which has a row of its own for it."""
    MISSING = "missing"
    """It is not there, and it was not us who deleted it."""
    ERASED = "erased"
    """Deleted at its customer's request."""


class ContentType(StrEnum):
    """What kind of sound a recording is."""

    MUSIC = "music"
    SPEECH = "speech"
    MIXED = "mixed"
    SOUND = "sound"
    SILENCE = "silence"


class Genre(StrEnum):
    """Styles of music."""

    ALTERNATIVE = "alternative"
    AMBIENT = "ambient"
    BLUES = "blues"
    CLASSICAL = "classical"
    COUNTRY = "country"
    DANCE = "dance"
    EASY_LISTENING = "easy listening"
    ELECTRONIC = "electronic"
    EXPERIMENTAL = "experimental"
    FOLK = "folk"
    FUNK = "funk"
    GOSPEL = "gospel"
    HIP_HOP = "hip hop"
    HOUSE = "house"
    INDIAN_CLASSICAL = "indian classical"
    INDIE = "indie"
    JAZZ = "jazz"
    LATIN = "latin"
    METAL = "metal"
    NEW_AGE = "new age"
    OPERA = "opera"
    POP = "pop"
    PROGRESSIVE_ROCK = "progressive rock"
    PUNK = "punk"
    REGGAE = "reggae"
    RHYTHM_AND_BLUES = "rhythm and blues"
    ROCK = "rock"
    SOUL = "soul"
    SOUNDTRACK = "soundtrack"
    TECHNO = "techno"
    WORLD = "world"


class Mood(StrEnum):
    """How music feels."""

    AGGRESSIVE = "aggressive"
    BEAUTIFUL = "beautiful"
    CALM = "calm"
    CATCHY = "catchy"
    DARK = "dark"
    DREAMY = "dreamy"
    ENERGETIC = "energetic"
    FESTIVE = "festive"
    HAPPY = "happy"
    MELLOW = "mellow"
    ROMANTIC = "romantic"
    SAD = "sad"
    SENSUAL = "sensual"
    TENSE = "tense"
    WEIRD = "weird"


class Instrument(StrEnum):
    """What is played."""

    ACCORDION = "accordion"
    BASS = "bass"
    BRASS = "brass"
    CELLO = "cello"
    DRUMS = "drums"
    FLUTE = "flute"
    GUITAR = "guitar"
    HARP = "harp"
    HARPSICHORD = "harpsichord"
    ORGAN = "organ"
    PERCUSSION = "percussion"
    PIANO = "piano"
    SAXOPHONE = "saxophone"
    SITAR = "sitar"
    STRINGS = "strings"
    SYNTHESIZER = "synthesizer"
    TRUMPET = "trumpet"
    VIOLIN = "violin"
    WOODWINDS = "woodwinds"


class Vocals(StrEnum):
    """Who sings or speaks, if anybody."""

    NONE = "none"
    MALE = "male"
    FEMALE = "female"
    CHOIR = "choir"
    PRESENT = "present"


class Basis(StrEnum):
    """Where a confidence comes from."""

    CALIBRATED = "calibrated"
    """Fitted on labelled data: among answers given 0.8, about 80 % are right."""
    MEASURED = "measured"
    """Follows from a definition, such as digital silence."""
    DERIVED = "derived"
    """Computed from the confidences of other fields."""
    UNCALIBRATED = "uncalibrated"
    """No labelled data: there is a raw score and no confidence."""
