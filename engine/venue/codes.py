"""Every error the venue can answer, once: HTTP status, code and message.

Invariant: no other module spells a code or a message. Messages with `{}` take what the caller adds.
The list follows section 6.3 of the exchange reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Answer:
    """The wire form of one error."""

    code: int
    text: str
    status: int = 400


class Code(Enum):
    """The errors by the name of their cause."""

    UNKNOWN = Answer(-1000, "An unknown error occurred while processing the request.")
    TOO_MANY_REQUESTS = Answer(
        -1003, "Too many requests; current limit of IP({}) is {} requests per minute.", 429
    )
    BANNED = Answer(-1003, "Way too many requests; IP({}) banned until {}.", 418)
    THROTTLED = Answer(
        -1008,
        "Request throttled by system-level protection. Reduce-only/close-position orders are "
        "exempt. Please try again.",
        503,
    )
    TOO_MANY_ORDERS = Answer(-1015, "Too many new orders; current limit is {} orders per {}.", 429)
    OUTSIDE_WINDOW = Answer(-1021, "Timestamp for this request is outside of the recvWindow.")
    AHEAD_OF_SERVER = Answer(
        -1021, "Timestamp for this request was 1000ms ahead of the server's time."
    )
    BAD_SIGNATURE = Answer(-1022, "Signature for this request is not valid.")
    ILLEGAL_CHARACTERS = Answer(
        -1100, "Illegal characters found in parameter '{}'; legal range is '{}'."
    )
    MANDATORY = Answer(
        -1102, "Mandatory parameter '{}' was not sent, was empty/null, or malformed."
    )
    EITHER_MANDATORY = Answer(
        -1102,
        "Param '{}' or '{}' must be sent, but both were empty/null!",
    )
    EMPTY = Answer(-1105, "Parameter '{}' was empty.")
    NOT_REQUIRED = Answer(-1106, "Parameter '{}' sent when not required.")
    PRECISION = Answer(-1111, "Precision is over the maximum defined for this asset.")
    TIF_INVALID = Answer(-1115, "Invalid timeInForce.")
    TYPE_INVALID = Answer(-1116, "Invalid orderType.")
    SIDE_INVALID = Answer(-1117, "Invalid side.")
    INTERVAL_INVALID = Answer(-1120, "Invalid interval.")
    SYMBOL_INVALID = Answer(-1121, "Invalid symbol.")
    NO_LISTEN_KEY = Answer(-1125, "This listenKey does not exist.")
    BAD_COMBINATION = Answer(-1128, "Combination of optional parameters invalid.")
    BAD_PARAMETER = Answer(-1130, "Data sent for parameter '{}' is not valid.")
    BAD_RESPONSE_TYPE = Answer(-1136, "Invalid newOrderRespType.")
    CANCEL_UNKNOWN = Answer(-2011, "Unknown order sent.")
    NO_SUCH_ORDER = Answer(-2013, "Order does not exist.")
    KEY_FORMAT = Answer(-2014, "API-key format invalid.", 401)
    KEY_REJECTED = Answer(-2015, "Invalid API-key, IP, or permissions for action.", 401)
    MARGIN = Answer(-2019, "Margin is insufficient.")
    UNABLE_TO_FILL = Answer(-2020, "Unable to fill.")
    WOULD_TRIGGER = Answer(-2021, "Order would immediately trigger.")
    REDUCE_ONLY = Answer(-2022, "ReduceOnly Order is rejected.")
    TOO_MANY_OPEN = Answer(-2025, "Reach max open order limit.")
    REDUCE_ONLY_TYPE = Answer(-2026, "This OrderType is not supported when reduceOnly.")
    POSITION_LIMIT = Answer(-2027, "Exceeded the maximum allowable position at current leverage.")
    LEVERAGE_TOO_SMALL = Answer(
        -2028, "Leverage is smaller than permitted: insufficient margin balance."
    )
    PRICE_NOT_POSITIVE = Answer(-4001, "Price less than 0.")
    PRICE_ABOVE_MAXIMUM = Answer(-4002, "Price greater than max price.")
    QUANTITY_NOT_POSITIVE = Answer(-4003, "Quantity less than or equal to zero.")
    QUANTITY_BELOW_MINIMUM = Answer(-4004, "Quantity less than min quantity.")
    QUANTITY_ABOVE_MAXIMUM = Answer(-4005, "Quantity greater than max quantity.")
    STOP_NOT_POSITIVE = Answer(-4006, "Stop price less than zero.")
    STOP_ABOVE_MAXIMUM = Answer(-4007, "Stop price greater than max price.")
    PRICE_BELOW_MINIMUM = Answer(-4013, "Price less than min price.")
    PRICE_OFF_TICK = Answer(-4014, "Price not increased by tick size.")
    CLIENT_ID_LENGTH = Answer(-4015, "Client order id length should not be more than 36 chars.")
    PRICE_ABOVE_CAP = Answer(-4016, "Limit price can't be higher than {}.")
    DEPTH_LIMIT = Answer(
        -4021, "'{}' is not valid depth limit; valid limits: [5, 10, 20, 50, 100, 500, 1000]."
    )
    QUANTITY_OFF_STEP = Answer(-4023, "Qty not increased by step size.")
    PRICE_BELOW_FLOOR = Answer(-4024, "Limit price can't be lower than {}.")
    LEVERAGE_INVALID = Answer(-4028, "Leverage {} is not valid")
    TOO_MANY_STOPS = Answer(-4045, "Reach max stop order limit.")
    SAME_MARGIN_TYPE = Answer(-4046, "No need to change margin type.")
    MARGIN_OPEN_ORDERS = Answer(-4047, "Margin type cannot be changed if there exists open orders.")
    MARGIN_POSITION = Answer(-4048, "Margin type cannot be changed if there exists position.")
    NOT_ISOLATED = Answer(-4049, "Add margin only support for isolated position.")
    CROSS_BALANCE = Answer(-4050, "Cross balance insufficient.")
    ISOLATED_BALANCE = Answer(-4051, "Isolated balance insufficient.")
    NO_POSITION = Answer(-4054, "Cannot add position margin: position is 0.")
    MARGIN_AMOUNT = Answer(-4055, "Amount must be positive.")
    SAME_POSITION_SIDE = Answer(-4059, "No need to change position side.")
    POSITION_SIDE_INVALID = Answer(-4060, "Invalid position side.")
    POSITION_SIDE = Answer(-4061, "Order's position side does not match user's setting.")
    SIDE_OPEN_ORDERS = Answer(-4067, "Position side cannot be changed if there exists open orders.")
    SIDE_POSITION = Answer(-4068, "Position side cannot be changed if there exists position.")
    DUPLICATE_ID = Answer(-4116, "ClientOrderId is duplicated.")
    TRIGGERING = Answer(-4117, "Stop order is in triggering process. Please try again later.")
    REDUCE_ONLY_RESERVED = Answer(
        -4118, "ReduceOnly Order Failed. Please check your existing position and open orders."
    )
    USE_ALGO = Answer(
        -4120,
        "Order type not supported for this endpoint. "
        "Please use the Algo Order API endpoints instead.",
    )
    CLOSE_EXISTS = Answer(
        -4130,
        "An open stop or take profit order with GTE and closePosition in the direction "
        "is existing.",
    )
    MARKET_PERCENT_PRICE = Answer(
        -4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit."
    )
    ACTIVATION_PRICE = Answer(-4135, "Invalid activation price.")
    CLOSE_TYPE = Answer(-4136, "Target strategy invalid for orderType {}, closePosition true.")
    CLOSE_QUANTITY = Answer(-4137, "Quantity must be zero with closePosition equals true.")
    CLOSE_REDUCE_ONLY = Answer(-4138, "Reduce only must be true with closePosition equals true.")
    SAME_MULTI_ASSETS = Answer(-4171, "No need to change multi-assets mode.")
    LEVERAGE_DOWN = Answer(
        -4161, "Leverage reduction is not supported in Isolated Margin Mode with open positions."
    )
    INTERVAL_TOO_LONG = Answer(-4165, "Invalid time interval. Maximum time interval is {} days.")
    NOTIONAL = Answer(
        -4164, "Order's notional must be no smaller than {} (unless you choose reduce only)."
    )
    LIMIT_ABOVE_STOP_CAP = Answer(-4183, "Limit price can't be higher than {}.")
    LIMIT_BELOW_STOP_FLOOR = Answer(-4184, "Limit price can't be lower than {}.")
    GTE_WHILE_FLAT = Answer(
        -4509,
        "Time in Force (TIF) GTE can only be used with open positions. "
        "Please ensure that positions are available.",
    )
    NO_SUCH_PATH = Answer(-5000, "Path {}, Method {} is invalid", 404)
    FOK_REJECTED = Answer(
        -5021,
        "Due to the order could not be filled immediately, the FOK order has been rejected. "
        "The order will not be recorded in the order history.",
    )
    POST_ONLY_REJECTED = Answer(
        -5022,
        "Due to the order could not be executed as maker, the Post Only order will be rejected. "
        "The order will not be recorded in the order history.",
    )
    MODIFY_TYPE = Answer(-5025, "Only limit order is supported.")
    MODIFY_TOO_OFTEN = Answer(-5026, "Exceed maximum modify order limit.")
    MODIFY_NOTHING = Answer(-5027, "No need to modify the order.")
    PRICE_MATCH_INVALID = Answer(-5037, "Invalid price match")
    PRICE_MATCH_TYPE = Answer(
        -5038, "Price match only supports order type: LIMIT, STOP AND TAKE_PROFIT"
    )
    STP_INVALID = Answer(-5039, "Invalid self trade prevention mode")
    GOOD_TILL_DATE = Answer(
        -5040,
        "The goodTillDate timestamp must be greater than the current time plus 600 seconds and "
        "smaller than 253402300799000",
    )
    MODIFY_REDUCE_ONLY = Answer(-5047, "Reduce only of the original order does not match.")


class Refusal(Exception):
    """The exchange says no: nothing was executed, and this is the answer."""

    __slots__ = ("code", "message", "retry_after_s", "status")

    def __init__(
        self, code: int, message: str, status: int = 400, *, retry_after_s: int | None = None
    ) -> None:
        """Carry the wire form; `retry_after_s` becomes the Retry-After header."""
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.status = status
        self.retry_after_s = retry_after_s


def refuse(code: Code, *details: object, retry_after_s: int | None = None) -> Refusal:
    """Make the refusal for `code`, its message completed by `details`; the caller raises it."""
    answer = code.value
    text = answer.text.format(*details) if details else answer.text
    return Refusal(answer.code, text, answer.status, retry_after_s=retry_after_s)


def by_number(number: int) -> Refusal:
    """Make the refusal for a bare code number, for switches and injected faults."""
    for code in Code:
        if code.value.code == number:
            return refuse(code)
    return Refusal(number, "Rejected.")
