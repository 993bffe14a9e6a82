import { Type } from 'class-transformer';
import {
  IsBoolean, IsIn, IsInt, IsObject, IsOptional, IsString, Length, Matches, Max, MaxLength, Min, Validate, ValidateNested,
  ValidatorConstraint, type ValidatorConstraintInterface,
} from 'class-validator';

@ValidatorConstraint()
class Entries implements ValidatorConstraintInterface {
  validate(value: unknown) {
    return typeof value === 'object' && value !== null && Object.keys(value).length <= 20 && Object.values(value).every((v) => typeof v === 'string');
  }
}

export class Card {
  @Matches(/^[0-9]{12,19}$/) number: string;
  @IsInt() @Min(1) @Max(12) exp_month: number;
  @IsInt() @Min(2000) @Max(2099) exp_year: number;
  @Matches(/^[0-9]{3,4}$/) cvc: string;
}

export class Order {
  @IsInt() @Min(1) @Max(99_999_999_999) amount: number;
  @IsIn(['EUR', 'GBP', 'USD']) currency: string;
  @IsObject() @ValidateNested() @Type(() => Card) card: Card;
  @Length(1, 64) @Matches(/^[A-Za-z0-9-]+$/) reference: string;
  @IsOptional() @IsString() @MaxLength(500) description?: string;
  @IsOptional() @Validate(Entries) metadata?: Record<string, string>;
  @IsOptional() @IsBoolean() capture?: boolean;
  @IsOptional() @IsString() merchant_id?: string;
}

export class Paging {
  @Type(() => Number) @IsInt() @Min(1) @Max(100) limit: number;
  @IsOptional() @IsString() cursor = '';
}

export class Burning {
  @Type(() => Number) @IsInt() @Min(1) @Max(1_000_000_000) rounds: number;
}
