-- Bars of two feeds, or adjusted and raw ones, are two markets: each row says which it is from.
ALTER TABLE bars ADD COLUMN feed VARCHAR DEFAULT '';
