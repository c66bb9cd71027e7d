"""Certificates: read, and ask for change. What they hold comes sealed and stays so."""

import json

from orchestrator.domain.errors import Refused
from orchestrator.domain.facts import Certificate
from orchestrator.store.base import Part, numbers_page


class Certificates(Part):
    async def add(self, thumbprint: str, *, format: str, data: str, password: str | None, public: str) -> Certificate:
        """Add one; `data` and `password` sealed, `public` its DER in base64.

        Raises:
            Refused: CertificateExists, CertificateBeingDeleted.
        """
        (number,) = await self.call(
            "add_certificate", thumbprint=thumbprint, format=format, data=data, password=password or "", public=public
        )
        return await self._existing(number)

    async def get(self, thumbprint: str) -> Certificate:
        """One by its thumbprint, in any case.

        Raises:
            Refused: CertificateNotFound.
        """
        number = await self.redis(lambda r: r.hget(self.keys("certificate_ids"), thumbprint.lower()))
        return await self._existing(int(number or 0))

    async def page(self, after: int = 0, limit: int = 1000) -> tuple[list[Certificate], int | None]:
        """Certificates by creation; the second value is where the next page begins."""
        numbers, following = await numbers_page(self, self.keys("certificates"), after, limit)
        return [one for one in await self._read(numbers) if one], following

    async def delete(self, thumbprint: str) -> None:
        """Begin a deletion; `settle` ends it.

        Raises:
            Refused: CertificateNotFound, CertificateBeingDeleted.
        """
        await self.call("delete_certificate", thumbprint=thumbprint)

    async def cancel_delete(self, thumbprint: str) -> Certificate:
        """Take back a deletion that failed.

        Raises:
            Refused: CertificateNotFound, CertificateStateActive, CertificateBeingDeleted.
        """
        (number,) = await self.call("cancel_certificate", thumbprint=thumbprint)
        return await self._existing(number)

    async def settle(self, number: int) -> None:
        """End a deletion: the certificate is gone, or its deletion has failed because it is in use."""
        await self.call("settle_certificate", certificate=number)

    async def _existing(self, number: int) -> Certificate:
        found = (await self._read([number]))[0]
        if found is None:
            raise Refused("CertificateNotFound", "The specified certificate does not exist.")
        return found

    async def _read(self, numbers: list[int]) -> list[Certificate | None]:
        hashes = await self.hashes([self.keys("certificate", certificate=n) for n in numbers])
        return [_certificate(n, h) if h else None for n, h in zip(numbers, hashes, strict=True)]


def _certificate(number: int, h: dict[str, str]) -> Certificate:
    return Certificate(
        number=number,
        thumbprint=h["thumbprint"],
        format=h["format"],
        data=h["data"],
        password=h["password"],
        public=h["public"],
        state=h["state"],
        state_at=int(h["state_at"]),
        previous=h["previous"],
        previous_at=int(h["previous_at"]),
        modified=int(h["modified"]),
        error=json.loads(h["error"]) if h["error"] else None,
    )
