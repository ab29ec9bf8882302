"""What cases refer to: users and their profiles, the catalogue of statuses, companies, their people and processes."""

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from adapters.samples.cases.rows import DAY, NFD, Row, drop, make_row, utc_day
from adapters.samples.cases.vocabulary import CASE_CODES
from adapters.samples.truth import ABSENT, CONFLICTING, MAPPED, NORMALISED, UNREADABLE

_START: Final = 1_640_995_200_000
_SOME_NAMES: Final = ("Aurora", "Baobá", "Cerrado", "Delta", "Estaleiro", "Fênix", "Guará", "Horizonte", "Itaipava")
_KINDS: Final = ("Energia", "Engenharia", "Óleo e Gás", "Logística", "Navegação", "Tecnologia", "Têxtil")
_CATEGORY_COLOURS: Final = {
    "preparation": "#6B7280",
    "in_progress": "#2563EB",
    "review": "#D97706",
    "approved": "#16A34A",
    "completed": "#0F766E",
    "cancelled": "#DC2626",
}
_TAX: Final = "12345678000190"


def _tax_id(serial: int, *, punctuated: bool) -> str:
    bare = f"{int(_TAX) + serial * 7919:014}"
    return f"{bare[:2]}.{bare[2:5]}.{bare[5:8]}/{bare[8:12]}-{bare[12:]}" if punctuated else bare


class World:
    """The rows that are there before any case, and the ids that cases may name.

    `tables` names where the collective processes stand: under the old name, the new one, or both.
    """

    def __init__(self, rng: random.Random, count: int, tables: tuple[str, ...]) -> None:
        self._rng, self._tables = rng, tables
        self.migrated_at: float = _START + 1600 * DAY
        self.oddities: Counter[str] = Counter()
        self.rows: list[Row] = []
        self.user_ids: list[str] = []
        self._authors: list[str] = []
        self.unknown_authors: dict[str, str] = {}
        self.status_ids: dict[str, str] = {}
        self.companies: list[Row] = []
        self.collectives: list[Row] = []
        for number in range(10 + count // 100):
            self._add_user(number)
        self.admin = self._authors[0]
        self._add_odd_users()
        for sort, code in enumerate(CASE_CODES, start=1):
            self.status_ids[code] = self._add_status(code, sort).key
        self._add_odd_statuses()
        for number in range(max(12, count * 30 // 1000)):
            self._add_company(number)
        self._add_odd_companies()
        for number in range(max(12, count // 4)):
            self._add_collective(number)
        self._add_odd_collectives()

    def author(self, rng: random.Random) -> str:
        """Draw a user who may have changed a status."""
        return self.admin if rng.random() < 0.3 else rng.choice(self._authors)

    def other_author(self, *than: str) -> str:
        """Give a user who is none of the given."""
        return next(author for author in self._authors if author not in than)

    def _row(self, table: str, **fields: Any) -> Row:
        row = make_row(self._rng, table, _START + self._rng.randrange(300 * DAY), **fields)
        self.rows.append(row)
        return row

    def _odd(self, name: str) -> None:
        self.oddities[f"world.{name}"] += 1

    def _times(self) -> dict[str, int]:
        created = _START + self._rng.randrange(300 * DAY)
        return {"createdAt": created, "updatedAt": created + self._rng.randrange(400 * DAY)}

    # --- users -------------------------------------------------------------------------------------------------------

    def _add_user(self, number: int) -> str:
        user = self._row("users", name=f"Usuária {number}", email=f"u{number}@example.org", emailVerified=None).key
        self.user_ids.append(user)
        self._authors.append(user)
        role = "admin" if number % 5 == 0 else "client"
        if number % 5 == 4:
            self._odd("user_without_profile")
        else:
            self._row("userProfiles", userId=user, role=role, email=f"u{number}@example.org", fullName="")
        return user

    def _add_odd_users(self) -> None:
        no_user = self._row("userProfiles", role="admin", fullName="Só perfil")
        self._odd("profile_without_user_id")
        self._authors.append(no_user.key)
        blank = self._row("userProfiles", userId="", role=" client ")
        blank.marks["/role"] = NORMALISED
        self._authors.append(blank.key)
        self._odd("profile_with_blank_user_id")
        named = next(row for row in self.rows if row.table == "userProfiles" and row.doc.get("userId"))
        self.unknown_authors |= {"profile_id_of_a_user": named.key, "placeholder": "system"}
        self.unknown_authors |= {"dangling": "k0000000000000000000000deleted00"}
        user = self._add_user(1000)
        twin = self._row("userProfiles", userId=user, role="admin", createdAt=_START, updatedAt=_START + 900 * DAY)
        older = next(row for row in self.rows if row.table == "userProfiles" and row.doc.get("userId") == user)
        older.put("/role", "client", CONFLICTING)
        older.doc |= {"createdAt": _START, "updatedAt": _START + 800 * DAY}
        twin.dispute("role", "latest_row")
        self._odd("two_profiles_of_one_user")
        for name, role in (("unknown", "superadmin"), ("number", 1), ("case", "Admin")):
            row = self._row("userProfiles", role=role, userId=self._add_bare_user())
            row.put("/role", role, UNREADABLE, "unreadable")
            self._odd(f"profile_role_{name}")
        self._row("userProfiles", role=None, userId=self._add_bare_user())
        self._odd("profile_role_null")

    def _add_bare_user(self) -> str:
        return self._row("users", isAnonymous=True, phone=" ").key

    # --- statuses ----------------------------------------------------------------------------------------------------

    def _add_status(self, code: str, sort: int) -> Row:
        known = CASE_CODES[code]
        fields: dict[str, Any] = {
            "name": known.name,
            "nameEn": known.name_en,
            "code": code,
            "category": known.category,
            "description": f"{known.name}.",
            "color": _CATEGORY_COLOURS[known.category],
            "sortOrder": sort,
            "orderNumber": known.order or ABSENT,
            "fillableFields": list(known.fillable),
            "allowDocuments": True,
        }
        return self._row("caseStatuses", **fields, isActive=True, **self._times())

    def _add_odd_statuses(self) -> None:
        twin = self._add_status("em_renovacao", 10)
        first = next(row for row in self.rows if row.doc.get("code") == "em_renovacao")
        first.doc["updatedAt"], twin.doc["updatedAt"] = _START + 800 * DAY, _START + 900 * DAY
        for column, value in {"name": "Em renovacao", "color": "#111111", "sortOrder": 18, "isActive": False}.items():
            first.put(f"/{column}", value, CONFLICTING)
            twin.dispute(column, "latest_row")
        self._odd("two_statuses_of_one_code")
        live = {"code": "em_analise_tecnica", "name": "Em análise técnica", "category": "review", "sortOrder": 19}
        self.status_ids["em_analise_tecnica"] = self._extra_status("status_live_code", live).key
        limits = self._extra_status("status_outside_limits", {"code": "arquivado_antigo", "name": "Arquivado (antigo)"})
        limits.put("/sortOrder", 10_000, MAPPED, "outside_limit")
        limits.put("/orderNumber", 120, MAPPED, "outside_limit")
        limits.put("/description", "Longa. " * 80 + "Fim", MAPPED, "outside_limit")
        unknown = self._extra_status("status_unknown_category", {"code": "suspenso", "name": NFD, "isActive": False})
        unknown.marks["/name"] = NORMALISED
        unknown.put("/category", "paused", MAPPED, "outside_vocabulary")
        unknown.put("/fillableFields", ["rnmNumber", "observacoes", "", None])
        unknown.marks["/fillableFields/1"] = MAPPED
        unknown.find("fillableFields/1", "outside_vocabulary")
        wrong = self._extra_status("status_wrong_types", {"code": "em_revisao", "name": "Em revisão", "nameEn": None})
        for column, value in {"sortOrder": "7", "allowDocuments": "yes", "description": ["x", ""]}.items():
            wrong.put(f"/{column}", value, UNREADABLE, "unreadable")
        drop(wrong, "createdAt")
        wrong.find("createdAt", "assumed_time")

    def _extra_status(self, oddity: str, fields: dict[str, Any]) -> Row:
        self._odd(oddity)
        return self._row("caseStatuses", **({"isActive": True, "sortOrder": 90} | fields | self._times()))

    # --- companies ---------------------------------------------------------------------------------------------------

    def _add_company(self, number: int) -> Row:
        name = f"{_SOME_NAMES[number % 9]} {_KINDS[number % 7]}" + (f" {number // 63 + 1}" if number >= 63 else "")
        company = self._row("companies", name=f"{name} Ltda.", **self._times())
        if number % 4 == 0:
            company.doc["taxId"] = _tax_id(number, punctuated=number % 8 == 0)
            self._odd("company_tax_id_" + ("punctuated" if number % 8 == 0 else "bare"))
        company.doc |= {"isActive": True} if number % 3 else {"website": "", "email": "contato@example.com"}
        if number % 5 == 0:
            company.doc |= {"address": f"Rua {number}, Macaé", "phoneNumber": "+55 22 5555-0100", "notes": None}
        self.companies.append(company)
        for turn in range(self._rng.randrange(4)):
            self._add_member(company, self._person(), turn)
        return company

    def _person(self) -> str:
        return self._row("people", fullName="Contato Teste", createdAt=_START).key

    def _add_member(self, company: Row, person: str, turn: int) -> Row:
        member = self._row("peopleCompanies", personId=person, companyId=company.doc["_id"])
        member.doc["role"] = self._rng.choice(("Contact", "Employee", "Gerente de RH", "sócio"))
        if turn % 3:
            member.doc |= {"startDate": utc_day(_START + turn * 40 * DAY), "isCurrent": self._rng.random() < 0.8}
        else:
            self._odd("member_is_current_absent")
        return member

    def _add_odd_companies(self) -> None:
        repeated = self._add_company(0)
        repeated.doc["taxId"] = _tax_id(999, punctuated=False)
        self._odd("company_name_twice")
        person = self._person()
        for company in self.companies[:3]:
            self._add_member(company, person, 1).doc["isCurrent"] = True
        self._odd("member_of_several_companies")
        odd = self._add_company(1)
        odd.put("/name", f" {NFD} S.A.", NORMALISED)
        odd.put("/taxId", 12345678000190, UNREADABLE, "unreadable")
        odd.put("/contactPersonId", "n0000000000000000000000missing00", None, "dangling_reference")
        odd.put("/isActive", "sim", UNREADABLE, "unreadable")
        odd.put("/size", {"staff": 12, "sites": [None, "Macaé"], "none": {}})
        drop(odd, "createdAt")
        odd.find("createdAt", "assumed_time")
        self._odd("company_wrong_types")
        for name, value, mark in (
            ("millis", _START + 5 * DAY, None),
            ("text", "2022-03-01", None),
            ("phrase", "desde sempre", UNREADABLE),
            ("true", True, UNREADABLE),
        ):
            member = self._add_member(odd, person, 1)
            member.put("/startDate", value, mark, "unreadable" if mark else "")
            self._odd(f"member_start_{name}")
        stray = self._add_member(odd, "n0000000000000000000000missing00", 0)
        stray.find("personId", "dangling_reference")
        stray.put("/isCurrent", "true", UNREADABLE, "unreadable")
        stray.put("/role", "  Contact", NORMALISED)
        self._odd("member_person_dangling")
        drop(self._add_member(odd, person, 1), "personId", "role")
        self._odd("member_person_absent")

    # --- collective processes ----------------------------------------------------------------------------------------

    def _add_collective(self, number: int) -> Row:
        is_old = number < len(self.companies) * 4
        row = self._row(
            self._tables[0] if is_old else self._tables[-1],
            referenceNumber=f"PC-{2022 + number % 4}-{number:04}",
            companyId=self._rng.choice(self.companies).doc["_id"],
            status=self._rng.choice(("draft", "in_progress", "main_in_progress", "3 Deferido, 2 RNM", "", "completed")),
            **self._times(),
        )
        if number % 4 == 0:
            row.doc |= {"requestDate": utc_day(row.doc["createdAt"]), "isUrgent": False, "requestDetails": " "}
        if number % 6 == 0:
            row.doc["completedAt"] = row.doc["updatedAt"]
        self.collectives.append(row)
        return row

    def _add_odd_collectives(self) -> None:
        self._add_collective(8000).put("/companyId", "m0000000000000000000000missing00", None, "dangling_reference")
        self._odd("collective_company_dangling")
        self._add_collective(8001).put("/companyId", None)
        self._odd("collective_company_null")
        odd = self._add_collective(8002)
        odd.put("/referenceNumber", 20230007, UNREADABLE, "unreadable")
        odd.put("/createdAt", "NaN", UNREADABLE, "unreadable assumed_time")
        odd.put("/completedAt", "ontem", UNREADABLE, "unreadable")
        odd.put("/status", {"draft": 1, "none": None})
        self._odd("collective_wrong_types")
        odd = self._add_collective(8003)
        odd.put("/referenceNumber", " PC-2024-8003", NORMALISED)
        odd.put("/updatedAt", 4 * 10**17, UNREADABLE, "unreadable")
        self._odd("collective_far_time")

    def spare(self, rng: random.Random) -> Iterator[Row]:
        """Make one more row of each table, for lines that are broken; no other row names them."""
        millis = _START + rng.randrange(300 * DAY)
        company = make_row(rng, "companies", millis, name="Quebrada S.A.", createdAt=int(millis))
        yield company
        yield make_row(rng, "peopleCompanies", millis, companyId=company.doc["_id"], role="Contact", endDate=None)
        yield make_row(rng, self._tables[-1], millis, companyId=ABSENT, referenceNumber="PC-X", createdAt=int(millis))
        yield make_row(rng, "userProfiles", millis, role="client", fullName="Ninguém")
        yield make_row(rng, "caseStatuses", millis, code=f"x{rng.randrange(10**9)}", name="X", createdAt=int(millis))
        yield make_row(rng, "users", millis, name="Ninguém")
        yield make_row(rng, "people", millis, fullName="Ninguém")
