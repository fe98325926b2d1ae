"""Tickets: what lets a connection past the limits, and how often."""

import time

import jwt
import pytest

from isshoni.backend.errors import BadTicket
from isshoni.backend.security.auth import GUEST
from isshoni.backend.security.tickets import SpentTickets, Ticket, Tickets

SECRET = "s" * 32


def test_two_tickets_for_the_same_session_are_two() -> None:
    tickets, spent, now = Tickets(SECRET), SpentTickets(), time.time()
    found = [tickets.check(tickets.issue("s", "blue"), "s", "blue") for _ in range(2)]
    assert [spent.spend(ticket, now) for ticket in (*found, *found)] == [True, True, False, False]


def test_a_ticket_of_a_version_that_numbered_none_is_taken_as_before() -> None:
    claims = {"sub": "s", "aud": "blue", "exp": time.time() + 60}
    ticket = Tickets(SECRET).check(jwt.encode(claims, SECRET, algorithm="HS256"), "s", "blue")
    assert ticket.number is None
    spent = SpentTickets()
    assert spent.spend(ticket, time.time())
    assert spent.spend(ticket, time.time())


def test_what_is_remembered_of_tickets_ends_with_them() -> None:
    spent = SpentTickets()
    for second in range(1000):
        assert spent.spend(Ticket(GUEST, second + 60.0, f"t{second}"), float(second))
    assert len(spent._expiry_by_number) < 70


def test_a_ticket_for_a_process_admits_to_that_process_only() -> None:
    tickets = Tickets(SECRET)
    ticket = tickets.issue("s", "blue-1")
    assert tickets.check(ticket, "s", "blue", "blue-1").permit == GUEST
    for names in (("blue", "blue-0"), ("blue",), ("green", "green-1")):
        with pytest.raises(BadTicket):
            tickets.check(ticket, "s", *names)


def test_a_ticket_for_a_colour_admits_to_each_of_its_processes() -> None:
    tickets = Tickets(SECRET)
    ticket = tickets.issue("s", "blue")
    for process in ("blue-0", "blue-1"):
        assert tickets.check(ticket, "s", "blue", process).permit == GUEST
