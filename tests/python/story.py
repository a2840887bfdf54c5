#!/usr/bin/env python3
"""A client that knows nothing but reflection books a haircut.

No generated code: descriptors come from the server, messages are built through a descriptor pool. What a district system
written in another language can rely on is what this script relies on.

    LINLI_TOKEN=... python3 tests/python/story.py --address 127.0.0.1:8443 --ca ca.pem

Needs grpcio and grpcio-reflection. Exit code 0 when the whole story came true.
"""

import argparse
import os
import sys
import uuid

import grpc
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

BOOKING = "linli.booking.v1.BookingService"
DETAILS = "grpc-status-details-bin"


class Client:
    """Calls any unary method by name, with messages from the server's own descriptors."""

    def __init__(self, channel, timeout_s):
        self._channel = channel
        self._timeout_s = timeout_s
        self._pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))

    def message(self, full_name):
        """The class of a message."""
        return message_factory.GetMessageClass(self._pool.FindMessageTypeByName(full_name))

    def value_name(self, message, field):
        """Name of an enum field's value, such as SLOT_STATE_OPEN."""
        enum = message.DESCRIPTOR.fields_by_name[field].enum_type
        return enum.values_by_number[getattr(message, field)].name

    def call(self, method, **fields):
        """Calls a method of the booking service with the given request fields."""
        descriptor = self._pool.FindServiceByName(BOOKING).methods_by_name[method]
        request = message_factory.GetMessageClass(descriptor.input_type)(**fields)
        answer = message_factory.GetMessageClass(descriptor.output_type)
        unary = self._channel.unary_unary(
            f"/{BOOKING}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answer.FromString,
        )
        return unary(request, timeout=self._timeout_s, metadata=(("accept-language", "en"),))

    def refusal(self, method, **fields):
        """Calls a method that must be refused; returns the error."""
        try:
            answer = self.call(method, **fields)
        except grpc.RpcError as error:
            return error
        raise AssertionError(f"{method} should have been refused, but answered: {answer}")

    def details(self, error, full_name):
        """The details of one type that an error carries."""
        raw = dict(error.trailing_metadata() or ()).get(DETAILS)
        assert raw, f"{error.code()} carries no {DETAILS}"
        status = self.message("google.rpc.Status").FromString(raw)
        wanted = self.message(full_name)
        return [wanted.FromString(any_.value) for any_ in status.details if any_.type_url.endswith("/" + full_name)]


def list_all(client, method, field, **fields):
    """All entries of a list, page by page."""
    token = ""
    while True:
        page = client.call(method, page_size=100, page_token=token, **fields)
        yield from getattr(page, field)
        token = page.next_page_token
        if not token:
            return


def answers(client, offering):
    """An answer to each question that must be answered."""
    found = []
    for question in offering.questions:
        if not question.required:
            continue
        kind = client.value_name(question, "type")
        value = {
            "QUESTION_TYPE_FLAG": lambda q: {"flag": True},
            "QUESTION_TYPE_NUMBER": lambda q: {"number": q.min},
            "QUESTION_TYPE_CHOICE": lambda q: {"choice": q.choices[0].code},
            "QUESTION_TYPE_TEXT": lambda q: {"text": "-"},
        }[kind](question)
        found.append({"key": question.key, **value})
    return found


def free_slots(client, area, offering):
    """Slots that take place and have a seat, in the order of their beginning."""
    slots = list_all(client, "ListSlots", "slots", parent=area, filter=f'offering = "{offering.name}"')
    return [s for s in slots if client.value_name(s, "state") == "SLOT_STATE_OPEN" and s.taken < s.capacity]


def book(client, area, slots, booking):
    """Books the first slot that takes bookings now; one may have begun, or not be open yet."""
    refusals = []
    for slot in slots:
        request_id = str(uuid.uuid4())
        fields = {"parent": area, "booking": {**booking, "slot": slot.name}, "request_id": request_id}
        try:
            booked = client.call("CreateBooking", **fields)
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.FAILED_PRECONDITION:
                raise
            refusals.append(f"{slot.name}: {error.details()}")
            continue
        again = client.call("CreateBooking", **fields)
        assert again.name == booked.name, f"one request id, two bookings: {booked.name} and {again.name}"
        state = client.value_name(booked, "state")
        assert state == "BOOKING_STATE_CONFIRMED", f"{booked.name} is {state}: {[r.message for r in booked.reasons]}"
        taken = client.call("GetSlot", name=slot.name).taken
        assert taken == slot.taken + 1, f"{slot.name} had {slot.taken} taken; booked once, it has {taken}"
        return booked
    raise AssertionError("no slot takes bookings:\n  " + "\n  ".join(refusals or ["there is none"]))


def tell(client, args):
    """The story."""
    offerings = list(list_all(client, "ListOfferings", "offerings", parent=args.area))
    say(f"{args.area} offers {len(offerings)} things")
    haircuts = [offering for offering in offerings if offering.kind == args.kind]
    assert haircuts, f"no offering of kind {args.kind} among {[o.name for o in offerings]}"
    haircut = haircuts[0]

    slots = free_slots(client, args.area, haircut)
    say(f"{haircut.name} has {len(slots)} slots with a free seat")

    booking = {"answers": answers(client, haircut), "resident": args.resident}
    booked = book(client, args.area, slots, booking)
    say(f"booked {booked.name}: {client.value_name(booked, 'state')}; sent twice, booked once")

    seen = client.call("GetBooking", name=booked.name)
    assert (seen.name, seen.slot) == (booked.name, booked.slot), f"got {seen}"
    say("and read it again")

    without_slot = client.refusal("CreateBooking", parent=args.area, booking=booking, request_id=str(uuid.uuid4()))
    assert without_slot.code() == grpc.StatusCode.INVALID_ARGUMENT, without_slot.code()
    fields = [v.field for bad in client.details(without_slot, "google.rpc.BadRequest") for v in bad.field_violations]
    assert "booking.slot" in fields, f"bad fields named: {fields}"
    reasons = [info.reason for info in client.details(without_slot, "google.rpc.ErrorInfo")]
    say(f"a booking without a slot is refused: {reasons}, fields {fields}")

    stolen = client.refusal(
        "CreateOffering",
        parent=args.foreign_area,
        offering={"kind": args.kind},
        offering_id="not-mine",
        request_id=str(uuid.uuid4()),
    )
    assert stolen.code() == grpc.StatusCode.PERMISSION_DENIED, f"{stolen.code()}: {stolen.details()}"
    assert client.details(stolen, "google.rpc.ErrorInfo"), "a denial says its reason"
    say(f"an offering in {args.foreign_area} is refused: {stolen.details()}")

    before = client.call("GetSlot", name=booked.slot).taken
    given_back = client.call("CancelBooking", name=booked.name, request_id=str(uuid.uuid4()))
    state = client.value_name(given_back, "state")
    assert state == "BOOKING_STATE_CANCELLED", f"{booked.name} is {state}"
    left = client.call("GetSlot", name=booked.slot).taken
    assert left == before - 1, f"{booked.slot} had {before} taken; one was given back, and {left} are taken"
    say(f"the booking is given back; {left} of the slot are taken again")


def say(text):
    """Talk goes to stderr."""
    print(f"story: {text}", file=sys.stderr)


def arguments():
    """Where the suite is, and who calls."""
    parser = argparse.ArgumentParser(description="Books a haircut, knowing nothing but reflection.")
    parser.add_argument("--address", required=True, help="HOST:PORT of the gateway")
    parser.add_argument("--ca", required=True, help="certificate (PEM) of the authority that signed the gateway's")
    parser.add_argument("--token", default=os.environ.get("LINLI_TOKEN"), help="bearer token; default: $LINLI_TOKEN")
    parser.add_argument("--area", default="areas/xinhua", help="the community")
    parser.add_argument("--kind", default="haircut", help="kind code of what is booked")
    parser.add_argument("--resident", default="", help="the resident for whom; empty: whoever the token says")
    parser.add_argument("--foreign-area", default="areas/xingqing", help="an area in which the caller has no post")
    parser.add_argument("--timeout-s", type=float, default=30, help="of each call")
    args = parser.parse_args()
    if not args.token:
        parser.error("no token: --token or LINLI_TOKEN")
    return args


def main():
    """Tells the story; the exit code says whether it came true."""
    args = arguments()
    with open(args.ca, "rb") as ca:
        transport = grpc.ssl_channel_credentials(ca.read())
    caller = grpc.access_token_call_credentials(args.token)
    credentials = grpc.composite_channel_credentials(transport, caller)
    with grpc.secure_channel(args.address, credentials) as channel:
        try:
            tell(Client(channel, args.timeout_s), args)
        except grpc.RpcError as error:
            say(f"FAILED: {error.code().name}: {error.details()}")
            return 1
        except AssertionError as error:
            say(f"FAILED: {error}")
            return 1
    say("came true")
    return 0


if __name__ == "__main__":
    sys.exit(main())
