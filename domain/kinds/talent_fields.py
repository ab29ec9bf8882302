"""The fields dancers and choreographers share; a guest of the talent application keeps them on a personal profile."""

from __future__ import annotations

from typing import Final

from domain.vocabulary import FieldShape, anything, flag, instant, items, json_object, number, structure, text, texts


def _sizes(*ranges: tuple[float, float, float]) -> list[str]:
    """Return the sizes of some ranges (first, last, step) as the forms write them: `9`, `9.5`."""
    return [
        f"{first + step * index:g}" for first, last, step in ranges for index in range(round((last - first) / step) + 1)
    ]


_BUST: Final = text(*_sizes((19, 36, 1), (38, 66, 2)))
_DRESS: Final = text("00", "0", *_sizes((2, 30, 2)))
_MENS_SHOES, _WOMENS_SHOES = _sizes((6, 17.5, 0.5)), _sizes((4, 17, 0.5))
_MEASURES: Final = {
    "waist": text(*_sizes((20, 36, 1), (38, 70, 2))),
    "inseam": text(*_sizes((26, 36, 1))),
    "glove": text(*_sizes((6, 12, 0.5))),
    "hat": text(*_sizes((19, 25, 1))),
    "chest": text(*_sizes((24, 63, 1))),
    "neck": text(*_sizes((14, 30, 0.5))),
    "sleeve": text(*_sizes((15, 40, 0.5))),
    "coat_length": text("Short", "Regular", "Long", "Extra-Long"),
    "shirt": text("XXS", "XS", "S", "M", "L", "XL", "2XL", "3XL", "4XL", "5XL"),
    "shoes": text(*_MENS_SHOES, *_WOMENS_SHOES),
    "hips": text(*_sizes((15, 36, 1), (38, 70, 2))),
    "bust": _BUST,
    "underbust": _BUST,
    "cup": text("AA", "A", "B", "C", "D", "DD/E", "DDD/F", "DDDD/G", "H", "I", "J", "K"),
    "dress": _DRESS,
    "pants": _DRESS,
    "jacket": text(),
}

HEADSHOT: Final = structure({"storage_id": text(), "title": text(), "upload_date": text(), "position": number()})
LOCATION: Final = structure(dict.fromkeys(("country", "state", "city", "name", "zip_code", "address"), text()))
ATTRIBUTES: Final = structure(
    {
        "ethnicity": texts(
            "American Indian / Alaska Native",
            "Asian",
            "Black / African American",
            "Hispanic / Latino",
            "Native Hawaiian / Pacific Islander",
            "White / Caucasian",
        ),
        "hair_color": text("Black", "Blonde", "Brown", "Red", "Other"),
        "eye_color": text("Amber", "Blue", "Brown", "Green", "Gray", "Mixed"),
        "gender": text("Male", "Female", "Non-binary"),
        "height": structure({"feet": number(3, 8), "inches": number(0, 11)}),
        "years_of_experience": number(),
    }
)
SIZING: Final = structure(
    {
        "general": structure(_MEASURES),
        "male": structure(_MEASURES | {"shoes": text(*_MENS_SHOES)}),
        "female": structure(_MEASURES | {"shoes": text(*_WOMENS_SHOES)}),
    }
)
LINKS: Final = structure(
    {
        "reel": text(),
        "socials": json_object(),  # by platform; any platform may stand here
        "other": items(structure({"label": text(), "url": text()})),
    }
)
REPRESENTATION: Final = structure({"agency_id": text(), "display_rep": flag(), "tip_dismissed": flag()})

PLATFORMS: Final = ("instagram", "twitter", "tiktok", "facebook", "linkedin", "youtube", "whatsapp")
LEVELS: Final = ("expert", "proficient", "novice")

ONBOARDING_FIELDS: Final[dict[str, FieldShape]] = {
    "onboarding_completed": flag(),
    "onboarding_completed_at": instant(),
    "onboarding_version": text(),
    "onboarding_step": text(),
    "onboarding_step_index": number(),
    "onboarding_steps": texts(),  # those that are done
    "onboarding_step_number": number(),  # of two older schemes, which gave the numbers different meanings
}
"""Where a person stands in the onboarding; on the account until there is a profile."""

TALENT_FIELDS: Final[dict[str, FieldShape]] = {
    "display_name": text(least=2, most=50),
    "headshots": items(HEADSHOT),
    "representation": REPRESENTATION,
    "representation_status": text("represented", "seeking", "independent"),
    "attributes": ATTRIBUTES,
    "sizing": SIZING,
    "links": LINKS,
    "location": LOCATION,
    "work_location": texts(),
    "projects": texts(),  # the résumé, in order: ids of items
    "training": texts(),
    "skills": texts(),
    "skill_levels": structure({level: texts() for level in LEVELS}),
    "genres": texts(),
    "resume_uploads": items(),
    "sag_aftra_id": text(),
    "union_status": text("union", "non-union", "pending"),
    "company_name": text(),
    "database_use": text(),
    "availability": anything(),
    "dance_styles": texts(),
    "performance_videos": items(),
    "spotlight_order": anything(),
    "favorite_dancers": texts(),
    "favorite_choreographers": texts(),
    "profile_tip_dismissed": flag(),
    "resume_imported_fields": texts(),
    "resume_import_version": text(),
    "resume_imported_at": instant(),
    **ONBOARDING_FIELDS,
}
